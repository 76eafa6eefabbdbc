"""A client of the front in the test's own process, thread and transaction: capture goes through its door."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

import httpx
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.test.client import ClientHandler

from smplat.front.capture import CaptureDoor
from smplat.front.limits import Limits
from smplat.front.protocol import Front
from smplat.front.wsgi import Threads
from telemetry import metrics, store
from telemetry.intake import Intake, Prepared, attribute, merged
from telemetry.writer import Writer


def django(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django as a WSGI application that leaves the test's database session open."""
    response: Any = ClientHandler()(environ)
    start_response(f"{response.status_code} -", list(response.items()))
    return [response.content]


class NoThreads(Threads):
    """Does everything at once, and counts how often Django had to answer."""

    def __init__(self) -> None:
        super().__init__(django, 1)
        self.answered = 0

    async def run(self, work: Callable[[], Any]) -> Any:
        return work()

    def answer(self, scope: dict[str, Any], body: bytes) -> Any:
        self.answered += 1
        return super().answer(scope, body)


class SameSession(Writer):
    """Stores on the session of the test, whose transaction is undone in the end."""

    async def store(self, prepared: Prepared, size: int) -> Intake:
        attribute([prepared], store.insert(*merged([prepared])))
        metrics.count(prepared.intake)
        return prepared.intake


class FrontClient:
    """Speaks to a front of its own."""

    def __init__(self) -> None:
        self.threads = NoThreads()
        self._front = Front(self.threads, Limits(2_621_440), 0, CaptureDoor(SameSession(), self.threads))
        self._teach()

    def get(self, path: str) -> httpx.Response:
        return self.generic("GET", path)

    def options(self, path: str, headers: dict[str, str]) -> httpx.Response:
        return self.generic("OPTIONS", path, headers=headers)

    def generic(
        self,
        method: str,
        path: str,
        data: str | bytes = "",
        content_type: str = "",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request, and return what the front answers."""
        content = data if isinstance(data, bytes) else data.encode()
        headers = {name.lower(): value for name, value in (headers or {}).items()}
        headers = {"host": "testserver", "content-length": str(len(content)), **headers}
        headers |= {"content-type": content_type} if content_type else {}
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "http_version": "1.1",
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "server": ("testserver", 80),
            "client": ("127.0.0.1", 4711),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        return asyncio.run(self._ask(scope, content, connections[DEFAULT_DB_ALIAS]))

    async def _ask(self, scope: dict[str, Any], content: bytes, session: Any) -> httpx.Response:
        # A coroutine would have a session of its own.
        connections[DEFAULT_DB_ALIAS] = session
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self._front(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=body)

    def _teach(self) -> None:
        """Have Django answer on each route once, so that the door knows how."""
        for path in ("/api/telemetry", "/api/telemetry/quick-order"):
            with transaction.atomic():
                answer = self.generic("POST", path, '[{"name": "quick_order.start", "id": 5}]', "application/json")
                transaction.set_rollback(True)
            assert answer.status_code == 202
        self.threads.answered = 0
