"""The writer: requests that wait are stored together, and each is told what became of its own events."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError
from prometheus_client import REGISTRY

from telemetry import writer
from telemetry.intake import Intake, Prepared, prepare
from telemetry.models import IntakeTally, QuickOrderEvent
from telemetry.writer import FullError, Writer
from tests.database import database_url
from tests.factories import quick_order_event

pytestmark = pytest.mark.django_db(transaction=True)


def request(*events: dict[str, Any]) -> Prepared:
    return prepare(list(events or [quick_order_event()]), (QuickOrderEvent,))


def unstorable() -> Prepared:
    """A request with a row that PostgreSQL refuses, which no client can send."""
    prepared = request()
    prepared.rows[QuickOrderEvent][0]["metadata"] = {"nul": "\0"}
    return prepared


def with_writer(work: Callable[[Writer], Coroutine[Any, Any, Any]]) -> Any:
    """Return what ``work`` returns, given a writer of its own."""

    async def run() -> Any:
        own = Writer()
        try:
            return await work(own)
        finally:
            await own.close()

    return asyncio.run(run())


def store(*requests: Prepared) -> list[Intake | BaseException]:
    """Have all ``requests`` wait at the same time."""

    async def work(own: Writer) -> list[Intake | BaseException]:
        return await asyncio.gather(*(own.store(one, 1) for one in requests), return_exceptions=True)

    outcomes: list[Intake | BaseException] = with_writer(work)
    return outcomes


def accepted(outcomes: list[Intake | BaseException]) -> list[tuple[int, int] | None]:
    return [(one.accepted, one.duplicates) if isinstance(one, Intake) else None for one in outcomes]


def test_requests_that_wait_are_stored_by_one_statement():
    outcomes = store(*(request(quick_order_event(), quick_order_event()) for _ in range(20)))

    assert accepted(outcomes) == [(2, 0)] * 20
    assert QuickOrderEvent.objects.count() == 40
    # The first goes at once and alone; the others have gathered by then, and are one line of the ledger.
    assert [tally.received for tally in IntakeTally.objects.order_by("id")] in ([40], [2, 38])


def test_positions_follow_the_order_of_the_requests():
    events = [quick_order_event() for _ in range(20)]

    store(*map(request, events))

    stored = QuickOrderEvent.objects.order_by("position").values_list("event_id", flat=True)
    assert list(map(str, stored)) == [event["id"] for event in events]


def test_the_first_request_with_an_id_has_brought_it():
    event = quick_order_event()

    outcomes = store(
        request(), request(event, event), request({**event, "productTitle": "Another"}, quick_order_event())
    )

    assert accepted(outcomes) == [(1, 0), (1, 1), (1, 1)]
    assert QuickOrderEvent.objects.get(event_id=event["id"]).product_title == event["productTitle"]


def test_nobody_pays_for_the_events_of_another():
    outcomes = store(request(), request(), unstorable(), request())

    assert accepted(outcomes) == [(1, 0), (1, 0), None, (1, 0)]
    assert isinstance(outcomes[2], DatabaseError)
    assert QuickOrderEvent.objects.count() == 3


def test_a_statement_has_limits(monkeypatch):
    monkeypatch.setattr(writer, "MAX_EVENTS", 4)

    outcomes = store(*(request(*(quick_order_event() for _ in range(3))) for _ in range(4)))

    assert accepted(outcomes) == [(3, 0)] * 4
    assert [tally.received for tally in IntakeTally.objects.all()] == [3] * 4


def test_one_that_comes_when_too_many_wait_is_told_so(monkeypatch):
    monkeypatch.setattr(writer, "MAX_WAITING", 2)

    outcomes = store(*(request() for _ in range(4)))

    assert accepted(outcomes) == [(1, 0), (1, 0), None, None]
    assert isinstance(outcomes[2], FullError)


def test_what_a_client_sent_that_has_hung_up_is_stored_and_counted():
    def counted() -> float:
        return REGISTRY.get_sample_value("smplat_capture_events_total", {"outcome": "accepted"}) or 0.0

    before = counted()

    async def work(own: Writer) -> None:
        waiting = asyncio.create_task(own.store(request(), 1))
        await asyncio.sleep(0)
        waiting.cancel()

    with_writer(work)

    assert QuickOrderEvent.objects.count() == 1
    assert counted() == before + 1


def test_a_session_that_was_lost_is_replaced():
    async def work(own: Writer) -> Intake:
        await own.store(request(), 1)
        end_writers()
        return await own.store(request(), 1)

    assert accepted([with_writer(work)]) == [(1, 0)]


def test_where_the_database_is_away_everyone_is_told_after_one_attempt(monkeypatch):
    attempts = []

    async def connect(**parameters: Any) -> None:
        attempts.append(parameters)
        raise psycopg.OperationalError("no")

    monkeypatch.setattr(psycopg.AsyncConnection, "connect", connect)

    outcomes = store(*(request() for _ in range(10)))

    assert accepted(outcomes) == [None] * 10
    assert len(attempts) <= 2


def end_writers() -> None:
    with psycopg.connect(database_url()) as session:
        session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND ltrim(query, E' \\n') LIKE 'WITH%'"
        )
