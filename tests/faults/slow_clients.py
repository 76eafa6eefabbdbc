"""Clients that mean harm by being slow, many at once in one event loop."""

import asyncio
import json
import resource
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.factories import quick_order_event

_HEAD = "POST /api/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
_PER_ADDRESS = 75


def allow_many_files() -> None:
    """Raise this process's limit of open files as far as it may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Crowd:
    """Connections to one port from many loopback addresses, each of which has taken a few of them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._sockets: list[socket.socket] = []
        self._drips: list[asyncio.Task[None]] = []

    async def connect(self, said: bytes, drip: bytes = b"") -> None:
        """Say the beginning of a request, and then a bit more each second; connect anew when cut off."""
        number = len(self._sockets)
        self._sockets.append(await self._opened(number, said))
        if drip:
            self._drips.append(asyncio.create_task(self._drip(number, said, drip)))

    async def _opened(self, number: int, said: bytes) -> socket.socket:
        loop, sock = asyncio.get_running_loop(), socket.socket()
        # A small window, so that an answer stays with the server.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.setblocking(False)
        sock.bind((f"127.0.{1 + number // _PER_ADDRESS}.1", 0))
        await loop.sock_connect(sock, ("127.0.0.1", self._port))
        await loop.sock_sendall(sock, said)
        return sock

    async def _drip(self, number: int, said: bytes, drip: bytes) -> None:
        while True:
            await asyncio.sleep(1)
            try:
                await asyncio.get_running_loop().sock_sendall(self._sockets[number], drip)
            except OSError:
                self._sockets[number].close()
                self._sockets[number] = await self._opened(number, said)

    async def close(self) -> None:
        """Leave."""
        for drip in self._drips:
            drip.cancel()
        await asyncio.gather(*self._drips, return_exceptions=True)
        for sock in self._sockets:
            sock.close()


@asynccontextmanager
async def crowd(port: int, count: int, download: str, cookie: str) -> AsyncIterator[None]:
    """``count`` slow headers, as many slow bodies and as many slow readers; one in ten of these reads ``download``.

    Args:
        port: where the desk listens.
        count: how many of each kind.
        download: a path that answers with a stream.
        cookie: what opens it.
    """
    allow_many_files()
    attackers = Crowd(port)
    try:
        for index in range(count):
            path = "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js" if index % 10 else download
            await attackers.connect(f"GET /{index} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode(), b"X-A: b\r\n")
            await attackers.connect(f"{_HEAD}Content-Length: 100000\r\n\r\n".encode(), b"x" * 1_500)
            await attackers.connect(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())
        yield
    finally:
        await attackers.close()


async def ask(port: int, request: bytes) -> tuple[int, bytes, bytes]:
    """Send a request on a connection of its own.

    Returns:
        The status, the headers, and the content as far as Content-Length says.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        return int(head.split()[1]), head, await reader.readexactly(length)
    finally:
        writer.close()


def capture_request(event: dict | None = None) -> bytes:
    """The bytes of a request that captures one event."""
    body = json.dumps(event or quick_order_event())
    return f"{_HEAD}Content-Length: {len(body)}\r\n\r\n{body}".encode()


async def seconds_of(port: int, request: bytes, repeats: int) -> list[float]:
    """How long each of some requests took, one after the other."""
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        status, head, _ = await asyncio.wait_for(ask(port, request), 20)
        taken.append(time.perf_counter() - started)
        assert status in {200, 202}, head
    return taken
