"""The desk under test, and everything that it talks to, each behind a proxy."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from smplat import embedded
from tests import ROOT
from tests.e2e.desk import Desk
from tests.fakes import FakeServer, fake_server
from tests.faults.checker import clock, disk
from tests.faults.checker.proxy import Proxy
from tests.redis_server import redis_executable, redis_server

_BUCKET = "lake"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_SETTINGS = "tests.faults.checker.settings"
_COMMAND_TIMEOUT_SECONDS = 300


class World:
    """The desk, its neighbours, and the proxies between them.

    Attributes:
        folder: where everything of the run lies.
        proxies: by name of the neighbour: ``S3``, ``webhook``, ``Slack``, ``forwarding`` and ``Redis``.
        servers: the neighbours that only take messages: ``webhook``, ``Slack`` and ``forwarding``.
        small_disk: the disk of the tables that clients write to; None where none can be mounted.
        urls: of the desks that there are.
    """

    def __init__(self, folder: Path, s3_port: int, redis_port: int, servers: dict[str, FakeServer]) -> None:
        self.folder, self._s3_port, self.servers = folder, s3_port, servers
        ports = {name: server.server_port for name, server in servers.items()} | {"S3": s3_port, "Redis": redis_port}
        self.proxies = {name: Proxy(port) for name, port in ports.items()}
        self.clock = folder / "clock"
        clock.step(self.clock, 0)
        self.desk = Desk(folder / "var", **self._settings())
        self.small_disk: disk.SmallDisk | None = None
        self.urls: list[str] = []

    def _settings(self) -> dict[str, str]:
        at = {name: f"http://127.0.0.1:{proxy.port}" for name, proxy in self.proxies.items()}
        return _CREDENTIALS | {
            "DJANGO_SETTINGS_MODULE": _SETTINGS,
            clock.VARIABLE: str(self.clock),
            "LAKE_URI": f"s3://{_BUCKET}/smplat",
            "AWS_S3_ENDPOINT_URL": at["S3"],
            "REDIS_URL": f"redis://127.0.0.1:{self.proxies['Redis'].port}/0",
            "ANALYTICS_SEGMENTS_WEBHOOK": f"{at['webhook']}/segments",
            "ANALYTICS_GUARDRAIL_WEBHOOK": f"{at['webhook']}/follow-ups",
            "SLACK_WEBHOOK_URL": f"{at['Slack']}/slack",
            "TELEMETRY_ENDPOINT": f"{at['forwarding']}/events",
        }

    def start(self) -> None:
        """Start the desk."""
        address = f"http://127.0.0.1:{self._s3_port}"
        session = boto3.Session("test", "test", region_name="us-east-1")
        with closing(session.client("s3", endpoint_url=address)) as client:
            client.create_bucket(Bucket=_BUCKET)
        self.urls.append(self.desk.start().url)

    def second_desk(self) -> Desk:
        """Another launcher, with a folder and a port of its own, on the database of the first."""
        url = embedded.url(self.desk.var_dir)
        return Desk(self.folder / "second" / "var", **self._settings(), DATABASE_URL=url)

    def run(self, *arguments: str, settings: str = _SETTINGS) -> None:
        """Run Python in the environment of the desk, with the S3 server itself instead of its proxy.

        Raises:
            RuntimeError: it failed; the message is what it wrote.
        """
        environment = self.desk.environment | {
            "DJANGO_SETTINGS_MODULE": settings,
            "AWS_S3_ENDPOINT_URL": f"http://127.0.0.1:{self._s3_port}",
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr}")

    def messages(self) -> list[dict[str, Any]]:
        """The messages that the webhook has got."""
        return [json.loads(request.body) for request in self.servers["webhook"].heard]


@contextmanager
def running_world(folder: Path, minutes: float) -> Iterator[World]:
    """A desk that runs, for the time of the block.

    Args:
        folder: where everything lies.
        minutes: how long the run will be, which decides on the size of the small disk.

    Raises:
        FileNotFoundError: there is no ``redis-server``.
    """
    executable = redis_executable()
    if executable is None:
        raise FileNotFoundError("there is no redis-server")
    # Larger objects go to files, and not into the memory of this process.
    os.environ["MOTO_S3_DEFAULT_KEY_BUFFER_SIZE"] = "65536"
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with ExitStack() as stack:
        small_disk = stack.enter_context(disk.small_disk(64 + int(16 * minutes)))
        redis_port = stack.enter_context(redis_server(executable, folder))
        servers = {name: stack.enter_context(fake_server()) for name in ("webhook", "Slack", "forwarding")}
        s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        s3.start()
        stack.callback(s3.stop)
        world = World(folder, s3.get_host_and_port()[1], redis_port, servers)
        for proxy in world.proxies.values():
            stack.callback(proxy.close)
        world.start()
        stack.callback(world.desk.stop)
        if small_disk is not None:
            disk.move_tables(world.desk, small_disk)
            world.small_disk = small_disk
        yield world
