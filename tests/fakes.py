"""Stand-ins for the world outside: an HTTP server on the loopback interface, and a clock."""

import json
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import TypeVar

Server = TypeVar("Server", bound=ThreadingHTTPServer)
_TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Reply:
    """One answer of the server; what stands for ``{path}`` in its body is the path that was asked for."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Heard:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


class FakeServer(ThreadingHTTPServer):
    """Answers as told and remembers what it was asked; stands in for Slack, and for a workflow summary.

    Attributes:
        replies: the next answers; when there is none left, ``usual`` is the answer.
        heard: the requests, when they arrived.
        arrived: set when a request has arrived.
        gate: while cleared, requests arrive but are not answered.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.usual = Reply()
        self.replies: deque[Reply] = deque()
        self.heard: list[Heard] = []
        self.arrived, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        """The server's origin."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def texts(self) -> list[str]:
        """The texts of the Slack messages that arrived, whatever was answered."""
        return [json.loads(request.body)["text"] for request in self.heard]

    def reply(self) -> Reply:
        """The answer whose turn it is, once the gate is open."""
        self.gate.wait(_TIMEOUT_SECONDS)
        return self.replies.popleft() if self.replies else self.usual

    def handle_error(self, *_: object) -> None:
        """Stay silent about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.heard.append(Heard(self.path, dict(self.headers), body))
        self.server.arrived.set()
        reply = self.server.reply()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        content = reply.body.replace(b"{path}", self.path.encode())
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Have ``server`` answer, in a thread, for the time of the block."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def fake_server() -> Iterator[FakeServer]:
    """A server for the time of the block."""
    with serving(FakeServer()) as server:
        try:
            yield server
        finally:
            server.gate.set()


def closed_port_url() -> str:
    """An address at which nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Clock:
    """A clock that only moves when told."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.now += timedelta(seconds=seconds)


@contextmanager
def tcp_server(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server below HTTP, for the time of the block; yields host and port.

    Args:
        serve: talks to one client, in a thread of its own, until the event says that the block has ended.
    """
    is_over, threads = threading.Event(), []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=_serve, args=(serve, listener.accept()[0], is_over)))
                    threads[-1].start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            is_over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (acceptor, *threads):
                thread.join()


def _serve(
    serve: Callable[[socket.socket, threading.Event], None], client: socket.socket, is_over: threading.Event
) -> None:
    with client, suppress(OSError):
        serve(client, is_over)


def mute(client: socket.socket, is_over: threading.Event) -> None:
    """Take the connection, and neither read nor answer."""
    is_over.wait(_TIMEOUT_SECONDS)


def dripping(at_once: bytes, slowly: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """A maker of servers that send some bytes at once and then the others over and over, one in each 10 ms."""

    def serve(client: socket.socket, is_over: threading.Event) -> None:
        client.recv(65_536)
        client.sendall(at_once)
        for letter in cycle(slowly):
            if is_over.wait(0.01):
                return
            client.sendall(bytes([letter]))

    return serve
