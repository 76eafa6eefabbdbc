"""Connections to the warehouse: a DuckDB file of this machine, or Snowflake."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

_FETCH_ROWS = 1_000
_SECONDS_TO_CONNECT = 30
# What does not fit goes to a folder beside the file, so that a load of any size needs no more.
_DUCKDB_MEMORY = "1GB"
# The newest version of files that all of DuckDB 1.x reads; DuckDB 2.0 would write one that none of it does.
_STORAGE_VERSION = "v1.0.0"
#: What the URLs may say after the question mark.
_DUCKDB_OPTIONS = ("storage_version",)
_SNOWFLAKE_OPTIONS = ("authenticator", "private_key_file", "private_key_file_pwd", "role", "warehouse")


class TargetError(RuntimeError):
    """The warehouse cannot be used; the message says why, without a secret."""


class Target(Protocol):
    """A connection to the warehouse. Parameters stand for the question marks of a statement, in order.

    Cast times to text in a query: DuckDB's client hands out ``TIMESTAMPTZ`` values only with a further package.

    Attributes:
        dialect: ``duckdb`` or ``snowflake``.
    """

    dialect: str

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows.

        Raises:
            TargetError: the warehouse refused it.
        """

    def stream(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run a query and give its rows one by one, in bounded memory; read them before the next statement.

        Raises:
            TargetError: the warehouse refused it.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """Keep what the statements inside do, all of it or, after an error, none."""


def connect(url: str) -> AbstractContextManager[Target]:
    """Open the warehouse, and close it at the end.

    Args:
        url: ``duckdb:///absolute/path?storage_version=…``, where the version counts for a new file alone, or
            ``snowflake://user:password@account/database?warehouse=…&role=…``.

    Raises:
        TargetError: the URL is not one of these, or the warehouse cannot be opened.
    """
    scheme = urlsplit(url).scheme
    if scheme == "duckdb":
        return _open_duckdb(url)
    if scheme == "snowflake":
        return _open_snowflake(url)
    raise TargetError("a warehouse is duckdb:///absolute/path or snowflake://user:password@account/database")


def execute_all(target: Target, statements: Iterable[str]) -> None:
    """Run statements one after the other.

    Raises:
        TargetError: the warehouse refused one; those before it have taken effect.
    """
    for statement in statements:
        target.execute(statement)


class _Connection:
    """What both drivers have in common; ``errors`` are the driver's."""

    dialect: str

    def __init__(self, connection: Any, errors: type[Exception]) -> None:
        self._connection, self.errors = connection, errors

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._explained():
            return list(self._cursor(statement, parameters).fetchall())

    def stream(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Run a query and give its rows one by one."""
        with self._explained():
            cursor = self._cursor(statement, parameters)
            while rows := cursor.fetchmany(_FETCH_ROWS):
                yield from rows

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep what the statements inside do, all of it or none."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            # After a lost connection there is nothing to take back, and the first error is the one to tell.
            with suppress(TargetError):
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def _cursor(self, statement: str, parameters: Sequence[Any]) -> Any:
        raise NotImplementedError

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self.errors as error:
            raise TargetError(str(error).strip().split("\n")[0]) from error


class DuckDB(_Connection):
    """A DuckDB file; one process at a time may write to it."""

    dialect = "duckdb"

    def _cursor(self, statement: str, parameters: Sequence[Any]) -> Any:
        return self._connection.execute(statement, list(parameters))


class Snowflake(_Connection):
    """A session of Snowflake's."""

    dialect = "snowflake"

    def _cursor(self, statement: str, parameters: Sequence[Any]) -> Any:
        return self._connection.cursor().execute(statement, list(parameters) or None)


@contextmanager
def _open_duckdb(url: str) -> Iterator[Target]:
    # Only a load needs the engine, and every process of the desk would carry it.
    import duckdb

    path, options = Path(unquote(urlsplit(url).path)), _options(url, "a DuckDB file", _DUCKDB_OPTIONS)
    if urlsplit(url).netloc or path.name == "":
        raise TargetError("the URL of a DuckDB file has three slashes and an absolute path: duckdb:///folder/file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        version = options.get("storage_version", _STORAGE_VERSION)
        connection = duckdb.connect(
            path, config={"memory_limit": _DUCKDB_MEMORY, "storage_compatibility_version": version}
        )
    except (duckdb.Error, OSError) as error:
        raise TargetError(_why_not_opened(path, error)) from error
    try:
        connection.execute("SET TimeZone = 'UTC'")
        # Rows of a table have no order, and both cores are free to read a file.
        connection.execute("SET preserve_insertion_order = FALSE")
        yield DuckDB(connection, duckdb.Error)
    finally:
        connection.close()


def _why_not_opened(path: Path, error: Exception) -> str:
    if "lock" in str(error):
        return f"another process has {path} open, and one at a time may; wait for it to end, and start again"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).strip().split("\n")[0]
    return f"cannot open {path}: {reason}"


@contextmanager
def _open_snowflake(url: str) -> Iterator[Target]:
    arguments = _snowflake_arguments(url)
    try:
        # By name, since the driver is an extra that the type checker need not find.
        connector = import_module("snowflake.connector")
    except ImportError as error:
        message = "the driver of Snowflake is not installed; install it with: pip install 'smplat[snowflake]'"
        raise TargetError(message) from error
    try:
        connection = connector.connect(**arguments)
    except connector.errors.Error as error:
        # The driver's own text may repeat what it was given.
        raise TargetError(f"cannot connect to Snowflake ({type(error).__name__}, {error.errno})") from None
    try:
        yield Snowflake(connection, connector.errors.Error)
    finally:
        connection.close()


def _options(url: str, name: str, known: Sequence[str]) -> dict[str, str]:
    options = dict(parse_qsl(urlsplit(url).query))
    if unknown := sorted(set(options) - {*known}):
        raise TargetError(f"the URL of {name} has no {', '.join(unknown)}; it has {', '.join(known)}")
    return options


def _snowflake_arguments(url: str) -> dict[str, Any]:
    parts, database = urlsplit(url), urlsplit(url).path.strip("/")
    if not (parts.username and parts.hostname and database):
        raise TargetError("the URL of Snowflake is snowflake://user:password@account/database?warehouse=…&role=…")
    options = _options(url, "Snowflake", _SNOWFLAKE_OPTIONS)
    return {
        "user": unquote(parts.username),
        **({"password": unquote(parts.password)} if parts.password else {}),
        "account": parts.hostname,
        "database": unquote(database),
        "paramstyle": "qmark",
        "login_timeout": _SECONDS_TO_CONNECT,
        "network_timeout": _SECONDS_TO_CONNECT * 20,
        "session_parameters": {"TIMEZONE": "UTC"},
        **options,
    }
