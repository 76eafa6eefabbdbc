"""Stores the events of requests that wait at the same time together: one statement and one commit for all of them.

While one statement is under way the next requests gather, so that nobody waits for a timer, and a busy desk has few
commits, each of many requests. Every request is answered after the commit that holds its events.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

from telemetry import metrics
from telemetry.intake import Intake, Prepared, attribute, merged
from telemetry.store import Insertion, Model

#: What one statement stores at most; one request that is larger goes alone.
MAX_REQUESTS = 128
MAX_EVENTS = 1_000
MAX_BYTES = 1_048_576
#: So many requests wait at most.
MAX_WAITING = 1_000
_DJANGOS_OWN = ("cursor_factory", "context", "prepare_threshold")


class FullError(Exception):
    """So many requests wait that another one had better come later."""


@dataclass(frozen=True)
class _Waiting:
    """A request that waits.

    Attributes:
        prepared: its events.
        size: the bytes of its body.
        stored: done when its events are committed.
    """

    prepared: Prepared
    size: int
    stored: "asyncio.Future[Intake]"


class Writer:
    """Stores events for the coroutines of one event loop, on one session of its own."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._session: psycopg.AsyncConnection[Any] | None = None
        self._work: asyncio.Task[None] | None = None
        # Django's own sessions belong to a thread or a coroutine; this says how to connect, and what errors mean.
        self._database = connections.create_connection(DEFAULT_DB_ALIAS)

    async def store(self, prepared: Prepared, size: int) -> Intake:
        """Return when the events of a request are committed, with what became of each.

        A caller that is cancelled leaves its events behind, which are stored and counted all the same.

        Args:
            prepared: the events.
            size: the bytes of the request's body.

        Raises:
            FullError: too many wait already.
            django.db.DatabaseError: nothing of the request is stored, as far as is known.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise FullError
        request = _Waiting(prepared, size, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._write())
        return await request.stored

    async def close(self) -> None:
        """Store what waits, and end the session."""
        if self._work is not None:
            await self._work
        if self._session is not None:
            await self._session.close()

    async def _write(self) -> None:
        while self._waiting:
            requests = self._next()
            try:
                await self._store(requests)
            except Exception as error:
                await self._store_each(requests, error)

    def _next(self) -> list[_Waiting]:
        """Take as many of those that wait as fit into one statement."""
        requests = [self._waiting.popleft()]
        events, size = requests[0].prepared.size, requests[0].size
        while self._waiting and len(requests) < MAX_REQUESTS:
            events += self._waiting[0].prepared.size
            size += self._waiting[0].size
            if events > MAX_EVENTS or size > MAX_BYTES:
                break
            requests.append(self._waiting.popleft())
        return requests

    async def _store_each(self, requests: list[_Waiting], error: Exception) -> None:
        """Store each request alone, so that nobody pays for the events of another; not where the database is away."""
        is_away = self._session is None
        for request in requests:
            try:
                if is_away or len(requests) == 1:
                    raise error
                await self._store([request])
            except Exception as its_error:
                if not request.stored.done():
                    request.stored.set_exception(its_error)

    async def _store(self, requests: Sequence[_Waiting]) -> None:
        prepared = [request.prepared for request in requests]
        attribute(prepared, await self._execute(Insertion(*merged(prepared))))
        metrics.count(*(request.intake for request in prepared))
        for request in requests:
            if not request.stored.done():
                request.stored.set_result(request.prepared.intake)

    async def _execute(self, insertion: Insertion) -> dict[Model, set[str]]:
        """Execute and commit; once more where the session was lost, which stores nothing twice: ids are unique."""
        had_session = self._session is not None
        try:
            return await self._execute_once(insertion)
        except OperationalError:
            if self._session is not None and self._session.closed:
                await self._session.close()
                self._session = None
            if self._session is not None or not had_session:
                raise
        return await self._execute_once(insertion)

    async def _execute_once(self, insertion: Insertion) -> dict[Model, set[str]]:
        with self._database.wrap_database_errors:
            if self._session is None:
                self._session = await psycopg.AsyncConnection.connect(**self._parameters(), autocommit=True)
            cursor = await self._session.execute(insertion.statement, insertion.parameters, prepare=True)
            row = await cursor.fetchone()
        assert row is not None, "the statement gives one row"
        return insertion.new_of(row)

    def _parameters(self) -> dict[str, Any]:
        """What Django connects with, without what is for its own kind of session."""
        given = self._database.get_connection_params()
        return {name: value for name, value in given.items() if name not in _DJANGOS_OWN}
