"""The S3 server of docker-compose.yml on the loopback interface."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from tests import ROOT
from tests.e2e.desk import free_port, wait_for
from tests.http_client import HTTP

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
_WEED = Path(sys.executable).with_name("weed")
_PORTS = ("master.port", "volume.port", "filer.port", "s3.port")


@contextmanager
def s3_server(folder: Path, key: str, secret: str) -> Iterator[str]:
    """A server with one account, for the time of the block; yields the address at which it will answer in seconds."""
    ports = {name: free_port() for port in _PORTS for name in (port, f"{port}.grpc")}
    # Of a flag that comes twice, the second counts.
    command = [_WEED, *SERVICES["s3"]["command"].split(), f"-dir={folder}", "-s3.ip.bind=127.0.0.1"]
    command += ["-master.volumeSizeLimitMB=64"]
    command += [f"-{name}={port}" for name, port in ports.items()]
    account = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **account}, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{ports['s3.port']}"
    finally:
        # What it keeps is thrown away, so it need not say goodbye.
        process.kill()
        process.wait()


def wait_until_ready(url: str) -> None:
    """Return when the server answers."""
    wait_for(lambda: _answers(url))


def _answers(url: str) -> bool:
    try:
        return HTTP.get(f"{url}/healthz", timeout=5).is_success
    except httpx.HTTPError:
        return False
