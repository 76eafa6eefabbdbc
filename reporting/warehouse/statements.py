"""The statements that load a feed, in Snowflake's dialect or DuckDB's.

They are written once, in Snowflake's dialect, and sqlglot writes those that both engines know for DuckDB. Reading
files is another matter in each engine, so that is written for each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import sqlglot

from reporting.feeds import Column, ColumnType, Feed
from reporting.feeds.checksums import id_sum_sql
from reporting.warehouse.schema import HISTORY, REFUSED, ROWS, type_of

# What DuckDB is told that a row may have, in bytes. It takes several buffers of twice this size, so a load says what it
# has found; a script that is only printed cannot know.
_MAX_ROW_BYTES, MIN_BUFFER_BYTES = 67_108_864, 1_048_576
#: Columns of the staging table beside the feed's: the object that a row came with, and its line there.
_OBJECT, _LINE = "object", "line"
_HISTORY_NAMES = ("object", "feed", "sha256", "bytes", ROWS, "id_sum", "loaded_rows", "refused_rows", "state", "reason")
_LOOKER = Path(__file__).with_name("followups_by_provider.sql")


@dataclass(frozen=True)
class Stage:
    """A folder of the lake with objects of a feed, as the statements name it.

    Attributes:
        name: its name in Snowflake.
        uri: where it lies.
        shape: the shape of the objects that are loaded from it.
        example: the form of their names.
    """

    name: str
    uri: str
    shape: str
    example: str


@dataclass(frozen=True)
class StagedObject:
    """An object that a manifest lists, as the statements name it.

    Attributes:
        key: its name below the stage.
        uri: where it lies.
        rows: how many rows the manifest says.
        id_sum: the manifest's idSum.
    """

    key: str
    uri: str
    rows: int
    id_sum: int


def in_dialect(statement: str, dialect: str) -> str:
    """A statement of Snowflake's in ``dialect``."""
    return statement if dialect == "snowflake" else sqlglot.transpile(statement, "snowflake", dialect)[0]


def looker_query() -> str:
    """The reference's query over follow-ups by provider, byte for byte."""
    return _LOOKER.read_text(encoding="utf-8")


def staging_name(dialect: str, feed: Feed) -> str:
    """The staging table of a feed; DuckDB keeps temporary tables in a schema of their own."""
    name = f"{feed.table}_load"
    return name if dialect == "snowflake" else name.rpartition(".")[2]


def create_staging(dialect: str, feed: Feed, lifetime: str) -> str:
    """The statement that makes an empty staging table, which takes a row before it is known to be good.

    Its columns are those of the feed's table, in the types that they have there: a UUID may be UUID or TEXT.

    Args:
        dialect: ``duckdb``, where it is temporary in any case, or ``snowflake``.
        feed: the feed.
        lifetime: ``TRANSIENT``, to be seen by other sessions too, or ``TEMPORARY``, so that two loads share nothing.
    """
    lifetime = lifetime if dialect == "snowflake" else "TEMPORARY"
    own = (f"CAST(NULL AS TEXT) AS {_OBJECT}", f"CAST(NULL AS BIGINT) AS {_LINE}")
    columns = _joined([*(column.name for column in feed.columns), *own], 2)
    return (
        f"CREATE OR REPLACE {lifetime} TABLE {staging_name(dialect, feed)} AS\n"
        f"SELECT\n  {columns}\nFROM {feed.table}\nWHERE FALSE"
    )


def empty_staging(dialect: str, feed: Feed) -> str:
    """The statement that empties the staging table of a load, inside its transaction.

    Snowflake would end the transaction at a CREATE, and DuckDB would keep deleted rows in memory until its end.
    """
    if dialect == "snowflake":
        return f"DELETE FROM {staging_name(dialect, feed)}"  # noqa: S608 - a name of ours
    return create_staging(dialect, feed, "TEMPORARY")


def copy(feed: Feed, stage: Stage, table: str, files: Sequence[str]) -> str:
    """Snowflake's COPY of just the ``files`` of a stage."""
    return (_copy_by_path if stage.shape == "wire" else _copy_by_name)(feed, stage, table, files)


def _copy_by_name(feed: Feed, stage: Stage, table: str, files: Sequence[str]) -> str:
    """Snowflake's COPY of objects in warehouse shape, as in the reference."""
    metadata = ""
    if table != feed.table:
        metadata = f"INCLUDE_METADATA = ({_OBJECT} = METADATA$FILENAME, {_LINE} = METADATA$FILE_ROW_NUMBER)\n"
    return (
        f"COPY INTO {table}\nFROM @{stage.name}\nFILES = ({_listed(files)})\n"
        f"FILE_FORMAT = (TYPE = 'JSON' STRIP_OUTER_ARRAY = FALSE)\n"
        f"MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE\n{metadata}ON_ERROR = 'CONTINUE'"
    )


def _copy_by_path(feed: Feed, stage: Stage, table: str, files: Sequence[str]) -> str:
    """Snowflake's COPY of objects in wire shape: each column is read from its wire paths."""
    names, values = [column.name for column in feed.columns], [_from_wire(column) for column in feed.columns]
    if table != feed.table:
        names += [_OBJECT, _LINE]
        values += ["METADATA$FILENAME", "METADATA$FILE_ROW_NUMBER"]
    return (
        f"COPY INTO {table} ({', '.join(names)})\nFROM (\n  SELECT\n    {_joined(values, 4)}\n"
        f"  FROM @{stage.name}\n)\nFILES = ({_listed(files)})\n"
        f"FILE_FORMAT = (TYPE = 'JSON' STRIP_OUTER_ARRAY = FALSE)\nON_ERROR = 'CONTINUE'"
    )


def insert_from_objects(feed: Feed, shape: str, uris: Sequence[str]) -> str:
    """DuckDB's counterpart of both COPYs, into the staging table: objects of a disk, or of S3 with DuckDB's httpfs."""
    values = [_from_json(column, column.wire if shape == "wire" else (column.name,)) for column in feed.columns]
    names = [*(column.name for column in feed.columns), _OBJECT, _LINE]
    paths = ", ".join(quoted(unquote(uri).removeprefix("file://")) for uri in uris)
    return (
        f"INSERT INTO {staging_name('duckdb', feed)} ({', '.join(names)})\nSELECT\n"
        f"  {_joined([*values, 'filename', 'ROW_NUMBER() OVER ()'], 2)}\n"
        f"FROM read_ndjson_objects([{paths}], filename = TRUE, maximum_object_size = {_MAX_ROW_BYTES})"
    )


def receipt_check(dialect: str, feed: Feed, objects: Iterable[StagedObject]) -> str:
    """A query for the objects of the staging table whose rows or ``idSum`` are not those of the manifest."""
    values = ",\n  ".join(f"({quoted(item.key)}, {item.rows}, {item.id_sum})" for item in objects)
    query = (
        "SELECT m.object, m.expected_rows, l.found_rows, m.expected_id_sum, l.found_id_sum\n"  # noqa: S608
        f"FROM (VALUES\n  {values}\n) AS m (object, expected_rows, expected_id_sum)\n"
        f"LEFT JOIN (\n  SELECT object, COUNT(*) AS found_rows,\n    {id_sum_sql(feed.key_column)} AS found_id_sum\n"
        f"  FROM {staging_name(dialect, feed)}\n  GROUP BY object\n) AS l ON ENDSWITH(l.object, m.object)\n"
        "WHERE NOT COALESCE(m.expected_rows = l.found_rows AND m.expected_id_sum = l.found_id_sum, FALSE)"
    )
    return in_dialect(query, dialect)


def merge(dialect: str, feed: Feed, *, is_distinct: bool = False) -> str:
    """The statement that brings the staging table into the feed's table: a key has one row, and the last one wins.

    Args:
        dialect: ``duckdb`` or ``snowflake``.
        feed: the feed.
        is_distinct: whether no key is twice in the staging table, so that there is no last one to look for.
    """
    names = [column.name for column in feed.columns]
    values = [name for name in names if name != feed.key_column]
    key, differs = feed.key_column, "\n  OR ".join(f"target.{name} IS DISTINCT FROM source.{name}" for name in values)
    last = f"  QUALIFY ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY object DESC, {_LINE} DESC) = 1\n"
    statement = (
        f"MERGE INTO {feed.table} AS target\nUSING (\n  SELECT {', '.join(names)}\n"  # noqa: S608
        f"  FROM {staging_name(dialect, feed)}\n{'' if is_distinct else last}) AS source\n"
        f"ON target.{key} = source.{key}\n"
        f"WHEN MATCHED AND (\n  {differs}\n) THEN UPDATE SET\n  "
        f"{_joined([f'{name} = source.{name}' for name in values], 2)}\n"
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)})\n"
        f"VALUES ({', '.join(f'source.{name}' for name in names)})"
    )
    return in_dialect(statement, dialect)


def fill_staging(dialect: str, feed: Feed, path: Path, max_bytes: int) -> list[str]:
    """The statements that bring a file of checked rows, of at most ``max_bytes`` a line, into the staging table."""
    columns = {column.name: type_of(dialect, column) for column in feed.columns}
    return _fill(dialect, staging_name(dialect, feed), {**columns, _LINE: "BIGINT"}, path, max_bytes)


def fill_refused(dialect: str, path: Path, max_bytes: int) -> list[str]:
    """The statements that bring a file of refused rows, of at most ``max_bytes`` bytes a line, into their table."""
    texts = dict.fromkeys(("object", "feed", "reason", "raw"), "TEXT")
    seen_at = type_of(dialect, Column("seen_at", ColumnType.TIMESTAMP, (), ""))
    return _fill(dialect, REFUSED, {**texts, "line": "BIGINT", "seen_at": seen_at}, path, max_bytes)


def write_history(dialect: str) -> str:
    """The statement that notes what became of an object: ten values, and the time.

    A MERGE, since an object that was quarantined may be loaded later, and since Snowflake lets two loads that run at
    once wait for each other there, while it does not enforce keys.
    """
    values = [name for name in (*_HISTORY_NAMES, "loaded_at") if name != "object"]
    given = ", ".join(f"? AS {name}" for name in (*_HISTORY_NAMES, "loaded_at"))
    statement = (
        f"MERGE INTO {HISTORY} AS target USING (SELECT {given}) AS source ON target.object = source.object "  # noqa: S608
        f"WHEN MATCHED THEN UPDATE SET {', '.join(f'{name} = source.{name}' for name in values)} "
        f"WHEN NOT MATCHED THEN INSERT (object, {', '.join(values)}) "
        f"VALUES (source.object, {', '.join(f'source.{name}' for name in values)})"
    )
    return in_dialect(statement, dialect)


def quoted(text: str) -> str:
    """A text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def _fill(dialect: str, table: str, columns: dict[str, str], path: Path, max_bytes: int) -> list[str]:
    if dialect == "snowflake":
        # The folder's name is the load's own, so that two loads do not meet on the user's stage.
        folder = f"@~/smplat/{path.parent.name}/"
        return [
            f"PUT {quoted(f'file://{path}')} {folder} AUTO_COMPRESS = TRUE OVERWRITE = TRUE",
            f"COPY INTO {table}\nFROM {folder}{path.name}.gz\nFILE_FORMAT = (TYPE = 'JSON' STRIP_OUTER_ARRAY = FALSE)\n"
            "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE\nON_ERROR = 'ABORT_STATEMENT'\nPURGE = TRUE",
        ]
    types = ", ".join(f"{name}: {quoted(type_name)}" for name, type_name in columns.items())
    return [
        f"INSERT INTO {table} BY NAME SELECT * FROM read_json({quoted(str(path))}, format = 'newline_delimited', "  # noqa: S608
        f"maximum_object_size = {max(max_bytes, MIN_BUFFER_BYTES)}, columns = {{{types}}})"
    ]


def _from_wire(column: Column) -> str:
    suffix = "" if column.type is ColumnType.JSON else f"::{type_of('snowflake', column)}"
    *paths, last = [f"$1:{path}{suffix}" for path in column.wire]
    # Of the functions that take the first value there is, a COPY knows no COALESCE.
    cases = " ".join(f"WHEN {path} IS NOT NULL THEN {path}" for path in paths)
    return f"CASE {cases} ELSE {last} END" if paths else last


def _from_json(column: Column, paths: Sequence[str]) -> str:
    arrow = "->" if column.type is ColumnType.JSON else "->>"
    values = [f"json {arrow} '$.{path}'" for path in paths]
    value = values[0] if len(values) == 1 else f"COALESCE({', '.join(f'({value})' for value in values)})"
    return f"CAST(({value}) AS {type_of('duckdb', column)})"


def _listed(files: Sequence[str]) -> str:
    return ", ".join(map(quoted, files))


def _joined(parts: Sequence[str], spaces: int) -> str:
    return f",\n{' ' * spaces}".join(parts)
