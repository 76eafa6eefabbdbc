"""Runs a WSGI application in a pool of threads, which a slow reader of an answer does not hold."""

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

T = TypeVar("T")
Headers = list[tuple[bytes, bytes]]
_BLOCK_BYTES = 65_536


class _FileBlocks:
    """Gives a file in blocks that are worth a thread's while, whatever size the application proposes."""

    def __init__(self, file: Any, block_size: int = 0) -> None:
        self._file = file
        self.close = getattr(file, "close", lambda: None)

    def __iter__(self) -> Iterator[bytes]:
        return iter(partial(self._file.read, _BLOCK_BYTES), b"")


@dataclass
class Answer:
    """What the application answers.

    Attributes:
        status: the HTTP status.
        headers: names in lower case, and values.
        content: all of the content, or where ``rest`` is not None its beginning.
        rest: the content that is still to be made.
    """

    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Headers = field(default_factory=list)
    content: bytes = b""
    rest: "Stream | None" = None


class Stream:
    """Content that is made bit by bit: each bit by whichever thread is free, none while nobody takes it.

    So an application must not hold what belongs to a thread, such as a query that is under way on its database
    session, from one bit to the next.
    """

    def __init__(self, iterable: Iterable[bytes]) -> None:
        self._iterable, self._iterator = iterable, iter(iterable)

    def next(self) -> bytes | None:
        """The next bit of content; None after the last."""
        return next(filter(None, self._iterator), None)

    def close(self) -> None:
        """Tell the application that nobody reads on; Django ends the request with that."""
        if hasattr(self._iterable, "close"):
            self._iterable.close()


class Threads:
    """The pool in which a WSGI application runs.

    Args:
        application: the WSGI application.
        count: how many threads there are.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], count: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="request")

    async def run(self, work: Callable[[], T]) -> T:
        """Have a thread do ``work``, and return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def answer(self, scope: dict[str, Any], body: bytes) -> Answer:
        """Call the application; its content is read to the end unless it is a stream."""
        answer = Answer()

        def start_response(status: str, headers: list[tuple[str, str]], error: Any = None) -> None:
            answer.status = int(status.split(" ", 1)[0])
            answer.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

        iterable = self._application(environ(scope, body), start_response)
        stream = Stream(iterable)
        try:
            if scope["method"] == "HEAD":
                pass
            elif getattr(iterable, "streaming", True):
                answer.content, answer.rest = stream.next() or b"", stream
            else:
                answer.content = b"".join(iterable)
        finally:
            if answer.rest is None:
                stream.close()
        return answer


def environ(scope: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request.

    Args:
        scope: what ASGI says of it.
        body: its whole body, however it was sent.
    """
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _FileBlocks,
    }
    for name, value in scope["headers"]:
        _add_header(found, name.decode("latin-1"), value.decode("latin-1"))
    if body or "CONTENT_LENGTH" in found:
        found["CONTENT_LENGTH"] = str(len(body))
    return found


def _add_header(found: dict[str, Any], name: str, value: str) -> None:
    # An underscore would make a name the same as one with a dash, which a proxy may have vouched for.
    if "_" in name or name in {"transfer-encoding", "expect"}:
        return
    key = name.upper().replace("-", "_")
    if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        key = f"HTTP_{key}"
    separator = "; " if name == "cookie" else ","
    found[key] = f"{found[key]}{separator}{value}" if key in found else value
