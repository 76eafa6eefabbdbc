"""Reads the bodies of requests: to their limit, in their time, and at no cost of a thread."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from smplat.front.limits import Admission, Limits, TooLargeError, TooSlowError

Receive = Callable[[], Awaitable[dict[str, Any]]]
# A client that is still sending when it is refused would lose the answer with its connection. So much of what it sends
# is taken and thrown away before that.
_DRAINED_BYTES = 16 * 1_048_576
_DRAIN_SECONDS = 2.0


class GoneError(Exception):
    """The client has gone away."""


class StalledError(Exception):
    """The client takes nothing of its answer."""


class Body:
    """The body of one request.

    Attributes:
        is_complete: whether all of it was received, so that the connection is good for another request.
    """

    def __init__(self, receive: Receive, headers: list[tuple[bytes, bytes]]) -> None:
        self._receive = receive
        # The server has refused a request with several lengths.
        given = dict(headers)
        length = given.get(b"content-length", b"")
        self._declared = int(length) if length.isdigit() else 0
        self._awaits_leave = b"expect" in given
        self.is_complete = not self._declared and b"transfer-encoding" not in given

    async def read(self, limits: Limits, admission: Admission) -> bytes:
        """Return the whole body.

        Raises:
            TooLargeError, TooSlowError, BusyError: it breaks a limit.
            GoneError: the client went away before its end.
        """
        if self._declared > limits.body_bytes:
            raise TooLargeError
        parts: list[bytes] = []
        received, started = 0, time.monotonic()
        while not self.is_complete:
            part = await self._part(limits.seconds_left(received, time.monotonic() - started))
            received += len(part)
            if received > limits.body_bytes:
                raise TooLargeError
            admission.hold(len(part))
            parts.append(part)
        return b"".join(parts)

    async def drain(self) -> None:
        """Take what a client that is being refused goes on to send, within bounds."""
        if self._awaits_leave:
            return
        taken, until = 0, time.monotonic() + _DRAIN_SECONDS
        with suppress(TooSlowError, GoneError):
            while not self.is_complete and taken < _DRAINED_BYTES:
                taken += len(await self._part(until - time.monotonic()))

    async def _part(self, seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                message = await self._receive()
        except TimeoutError:
            raise TooSlowError from None
        if message["type"] == "http.disconnect":
            raise GoneError
        self.is_complete = not message.get("more_body", False)
        return bytes(message.get("body", b""))
