"""How the web server is started."""

import os
import shutil
import sys
from pathlib import Path

# HTTP/1 alone, since the server bounds the time for headers and between requests there; and connections for thousands
# that only wait (docs/adr/0016-slow-clients-wait-in-front.md).
_OPTIONS = ("--http", "1", "--http1-header-read-timeout", "10000", "--backlog", "2048", "--backpressure", "4096")
# Clients that always have another request would keep a server that is to end for ever.
_END_OPTIONS = ("--workers-kill-timeout", "5")


def command(application: str, host: str, port: int, processes: int) -> list[str]:
    """The command line of the web server.

    Args:
        application: a name in :mod:`smplat.asgi`.
        host: the address to listen on.
        port: the port.
        processes: how many processes answer.
    """
    server = [sys.executable, "-m", "granian", "--interface", "asginl", "--host", host, "--port", str(port)]
    server += ["--workers", str(processes), *_OPTIONS, *_END_OPTIONS, "--no-ws", "--log-level", "error"]
    return [*server, f"smplat.asgi:{application}"]


def share_metrics(folder: Path) -> None:
    """Have the web processes write their counters to a folder, from which each of them can tell all."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
