"""Captures events without a thread: where a request is as it should be, the event loop answers it.

Everything else goes to Django, which also refuses what is to be refused. So there is one way to say no, and the answers
here are the 202s, and a 503 where the database is away. Their headers are those with which Django answered the first
request of the kind.
"""

from collections.abc import Set
from functools import partial
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections
from rest_framework.renderers import JSONRenderer

from smplat.front.limits import BusyError
from smplat.front.wsgi import Answer, Headers, Threads
from smplat.lib.error_bodies import error_body
from smplat.lib.errors import database_error
from telemetry import forwarding, throttles
from telemetry.bodies import BodyError, TooManyEventsError, parse
from telemetry.capture import MEDIA_TYPES, NDJSON, Route, media_type, routes, summary
from telemetry.intake import Intake, Prepared, prepare
from telemetry.refusals import Sender
from telemetry.writer import FullError, Writer

# A larger body is parsed in a thread, so that it holds up nobody else for long.
_MAX_BYTES = 65_536
# Kinds of requests whose headers are kept; the oldest goes for a new one, since clients may name any origin.
_MAX_KINDS = 1_000
# What the headers of an answer depend on, beside the path.
_TELLING = (b"host", b"origin", b"x-forwarded-proto")
_CONTENT_TYPE = b"content-type"
_render = JSONRenderer().render
_Kind = tuple[str, tuple[bytes | None, ...]]


class CaptureDoor:
    """Answers POSTs to the capture routes.

    Args:
        writer: stores the events.
        threads: where is done what may block.
    """

    def __init__(self, writer: Writer, threads: Threads) -> None:
        self._writer, self._threads = writer, threads
        self._routes = {f"/{route.path}": route for route in routes()}
        self._headers: dict[_Kind, Headers] = {}

    @property
    def paths(self) -> Set[str]:
        """The paths of the capture routes."""
        return self._routes.keys()

    async def answer(self, scope: dict[str, Any], content: bytes, address: str) -> Answer | None:
        """Store the events of a request, or return None where it is Django's to answer.

        Raises:
            BusyError: too many requests wait to be stored.
        """
        route = self._routes.get(scope["path"])
        if route is None or scope["method"] != "POST" or len(content) > _MAX_BYTES:
            return None
        given = dict(scope["headers"])
        headers = self._headers.get(_kind(scope, given))
        # What a header means that is sent twice is for Django to say.
        if headers is None or len(given) < len(scope["headers"]):
            return None
        prepared = _read(route, content, given, address)
        if prepared is None or not await self._is_within_limit(address):
            return None
        try:
            intake = await self._writer.store(prepared, len(content))
        except FullError:
            raise BusyError from None
        except (OperationalError, InterfaceError) as error:
            return _failed(error, scope["path"], headers)
        except DatabaseError:
            return None
        if route.model is None and settings.TELEMETRY_ENDPOINT:
            await self._threads.run(partial(_forward, content, given.get(_CONTENT_TYPE) or b"application/json"))
        return _accepted(intake, headers)

    def learn(self, scope: dict[str, Any], answer: Answer) -> None:
        """Remember the headers of a 202 of Django's for the requests that follow."""
        if answer.status != 202 or scope["path"] not in self._routes:
            return
        if len(self._headers) >= _MAX_KINDS:
            del self._headers[next(iter(self._headers))]
        self._headers[_kind(scope, dict(scope["headers"]))] = answer.headers

    async def _is_within_limit(self, address: str) -> bool:
        counted = partial(throttles.is_within_limit, address)
        return await self._threads.run(counted) if settings.REDIS_URL else counted()


def _kind(scope: dict[str, Any], headers: dict[bytes, bytes]) -> _Kind:
    return scope["path"], tuple(headers.get(name) for name in _TELLING)


def _read(route: Route, content: bytes, headers: dict[bytes, bytes], address: str) -> Prepared | None:
    """The events of a request; None where it is to be refused."""
    kind = media_type(headers.get(_CONTENT_TYPE, b"").decode("latin-1"))
    if kind not in MEDIA_TYPES or len(content) > settings.TELEMETRY_MAX_BODY_BYTES:
        return None
    try:
        body = parse(content, kind == NDJSON, settings.TELEMETRY_MAX_EVENTS)
    except (BodyError, TooManyEventsError):
        return None
    sender = Sender(route.path, headers.get(b"origin", b"").decode("latin-1"), address)
    prepared = prepare(body.events, route.models, is_storable=body.is_storable, sender=sender)
    return None if route.refusal(body, prepared.intake) else prepared


def _forward(content: bytes, content_type: bytes) -> None:
    """Hand a body on, in a thread that serves no request of Django's."""
    close_old_connections()
    forwarding.queue(content, content_type.decode("latin-1"))
    close_old_connections()


def _accepted(intake: Intake, headers: Headers) -> Answer:
    answer = summary(intake)
    return _answer(202, headers, _render(answer) if intake.rejected else orjson.dumps(answer))


def _failed(error: Exception, path: str, headers: Headers) -> Answer:
    """The answer of the views when the database is away or full."""
    told = database_error(error)
    content = _render(error_body(path, {"detail": told.detail}))
    return _answer(told.status_code, [*headers, (b"retry-after", str(told.wait).encode())], content)


def _answer(status: int, headers: Headers, content: bytes) -> Answer:
    length = str(len(content)).encode()
    return Answer(status, [(name, length if name == b"content-length" else value) for name, value in headers], content)
