"""The ASGI application: it lets requests in, reads them, has a thread answer them, and sends what it answers."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Set
from functools import partial
from typing import Any, Protocol

from prometheus_client import Counter

from smplat.front.bodies import Body, GoneError, Receive, StalledError
from smplat.front.limits import Admission, Admissions, BusyError, Limits, TooLargeError, TooSlowError
from smplat.front.wsgi import Answer, Headers, Stream, Threads
from smplat.lib.clients import address_of
from smplat.lib.error_bodies import error_body

logger = logging.getLogger(__name__)
Send = Callable[[dict[str, Any]], Awaitable[None]]
_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]
_RETRY_SECONDS = b"5"
_REFUSED = Counter("smplat_front_refused", "Requests that no thread was taken for, by status.", ["status"])


class Door(Protocol):
    """Answers some requests without a thread; see :class:`smplat.front.capture.CaptureDoor`."""

    async def answer(self, scope: dict[str, Any], content: bytes, address: str) -> Answer | None: ...

    def learn(self, scope: dict[str, Any], answer: Answer) -> None: ...


class Front:
    """Stands before a WSGI application.

    Args:
        threads: where the application runs.
        limits: what a request may take.
        trusted_proxies: how many proxies stand before the front.
        door: answers what needs no thread.
        paths: the only ones that are answered; None for all.
    """

    def __init__(
        self,
        threads: Threads,
        limits: Limits,
        trusted_proxies: int,
        door: Door | None = None,
        paths: Set[str] | None = None,
    ) -> None:
        self._threads, self._limits, self._trusted_proxies = threads, limits, trusted_proxies
        self._door, self._paths = door, paths
        self._admissions = Admissions(limits)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = Body(receive, scope["headers"])
        if scope["path"] == "/healthz" and body.is_complete:
            await _send_json(send, 200, {"status": "alive"})
            return
        if self._paths is not None and scope["path"] not in self._paths:
            await _refuse(send, scope, body, 404, "There is nothing here; this process captures alone.")
            return
        address = client_address(scope, self._trusted_proxies)
        try:
            with self._admissions.admit(address) as admission:
                await self._answer(scope, body, admission, receive, send)
        except (GoneError, StalledError):
            # What was sent is not finished, and the server tells the client so by closing the connection.
            return
        except BusyError:
            await _refuse(send, scope, body, 503, "Too many requests are under way; please try again.")
        except TooLargeError:
            await _refuse(send, scope, body, 413, f"The body is larger than {self._limits.body_bytes} bytes.")
        except TooSlowError:
            await _refuse(send, scope, body, 408, "The body did not arrive in time.")

    async def _answer(
        self, scope: dict[str, Any], body: Body, admission: Admission, receive: Receive, send: Send
    ) -> None:
        content = await body.read(self._limits, admission)
        answer = await self._door.answer(scope, content, admission.address) if self._door else None
        if answer is None:
            answer = await self._threads.run(partial(self._threads.answer, scope, content))
            if self._door:
                self._door.learn(scope, answer)
        await self._send(answer, receive, send)

    async def _send(self, answer: Answer, receive: Receive, send: Send) -> None:
        """Send an answer, and have its stream closed however that ends."""
        try:
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            if answer.rest is None:
                await send({"type": "http.response.body", "body": answer.content})
            else:
                await self._send_stream(answer.content, answer.rest, receive, send)
        finally:
            if answer.rest is not None:
                await asyncio.shield(self._threads.run(answer.rest.close))

    async def _send_stream(self, first: bytes, rest: Stream, receive: Receive, send: Send) -> None:
        """Send a stream for as long as somebody takes it; one that nobody takes ends short of its end mark."""
        gone = asyncio.ensure_future(_departure(receive))
        part: bytes | None = first
        try:
            while part is not None and not gone.done():
                await self._send_part(part, send)
                part = await self._threads.run(rest.next)
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _send_part(self, part: bytes, send: Send) -> None:
        """Send a part of a stream when the client has taken most of those before it."""
        try:
            async with asyncio.timeout(self._limits.stall_seconds):
                await send({"type": "http.response.body", "body": part, "more_body": True})
        except TimeoutError:
            raise StalledError from None


def client_address(scope: dict[str, Any], trusted_proxies: int) -> str:
    """The client's address, as failures are counted by it; several headers of proxies are one list."""
    if not trusted_proxies:
        return address_of(scope["client"][0], "", 0)
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    return address_of(scope["client"][0], forwarded.decode("latin-1"), trusted_proxies)


async def _departure(receive: Receive) -> None:
    """Return when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, scope: dict[str, Any], body: Body, status: int, detail: str) -> None:
    """Answer with an error; the connection ends where the client has more to send."""
    _REFUSED.labels(str(status)).inc()
    await body.drain()
    headers = [] if body.is_complete else [(b"connection", b"close")]
    if status == 503:
        headers.append((b"retry-after", _RETRY_SECONDS))
    await _send_json(send, status, error_body(scope["path"], {"detail": detail}), headers)


async def _send_json(send: Send, status: int, content: dict[str, str], headers: Headers | None = None) -> None:
    await send({"type": "http.response.start", "status": status, "headers": _HEADERS + (headers or [])})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})
