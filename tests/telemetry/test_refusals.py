"""What is kept of events that cannot be stored: who sent them, what was wrong, and a masked look at each."""

import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from rest_framework.test import APIClient

from telemetry import refusals
from telemetry.imports import import_events
from telemetry.models import IntakeTally, Refusal
from tests.factories import quick_order_event
from tests.front_client import FrontClient

GENERAL, QUICK = "/api/telemetry", "/api/telemetry/quick-order"
ORIGIN = "https://shop.example"

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["Django", "the front"])
def stranger(request, db):
    """A client without credentials, of each of the two that answer."""
    return APIClient() if request.param == "Django" else FrontClient()


def post(client, events: object, route: str = GENERAL, **headers: str) -> None:
    """Send a body as a browser does."""
    body = events if isinstance(events, str) else json.dumps(events)
    client.generic("POST", route, body, "application/json", headers=headers)


def test_it_says_who_sent_what_and_what_was_wrong(stranger):
    post(stranger, [quick_order_event(), quick_order_event(id=7)], QUICK, Origin=ORIGIN)

    kept = Refusal.objects.get()
    assert (kept.route, kept.line, kept.index) == (QUICK[1:], "telemetry.QuickOrderEvent", 1)
    assert (kept.field, kept.reason) == ("id", "must be 1–200 characters; a UUID is preferred")
    assert (kept.origin, kept.client) == (ORIGIN, "127.0.0.1")
    assert json.loads(kept.event)["id"] == 7


def test_the_event_loop_keeps_them_without_django():
    front = FrontClient()
    before = front.threads.answered

    post(front, [quick_order_event(), quick_order_event(id=7)])

    assert front.threads.answered == before
    kept = Refusal.objects.get()
    assert (kept.route, kept.index, kept.field, kept.client) == ("api/telemetry", 1, "id", "127.0.0.1")


def test_one_event_alone_that_is_refused_is_kept_once(stranger):
    post(stranger, quick_order_event(recordedAt="yesterday"))

    assert [(kept.index, kept.field) for kept in Refusal.objects.all()] == [(0, "recordedAt")]


def test_values_of_fields_that_no_feed_has_are_masked(stranger):
    metadata = {"platformType": "ig", "password": "x"}
    post(stranger, [quick_order_event(id=7, card="4111", metadata=metadata, more={"a": 1}, list=[1])])

    shown = json.loads(Refusal.objects.get().event)
    assert (shown["card"], shown["more"], shown["list"]) == ("***", "***", "***")
    assert shown["metadata"] == {"platformType": "ig", "password": "***"}
    assert shown["productTitle"] == quick_order_event()["productTitle"]
    assert "4111" not in Refusal.objects.get().event


@pytest.mark.parametrize(
    ("body", "event"),
    [
        ('[7, {"name": "guardrail.alert"}]', "(int)"),
        ("[null, {}]", "(NoneType)"),
        ('{"name": "quick_order.start", "id": "a\\u0000b"}', '{"name": "quick_order.start", "id": "a\\u0000b"}'),
        ('{"name": "quick_order.start", "source": "\\ud800"}', '{"name": "quick_order.start", "source": "\\ud800"}'),
        ('{"name": "quick_order.start", "id": NaN}', '{"name": "quick_order.start", "id": "NaN is not a JSON number"}'),
        ('{"name": "quick_order.start", "a\\u0000": 1}', '{"name": "quick_order.start", "a\\u0000": "***"}'),
        ('{"name": "a"}\nnonsense', "not JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
    ids=["a number", "null", "NUL", "surrogate", "NaN", "a bad key", "no JSON"],
)
def test_whatever_is_sent_can_be_kept(stranger, body, event):
    post(stranger, body)

    kept = Refusal.objects.order_by("id").first()
    assert kept is not None
    assert kept.event == event


def test_texts_and_events_are_cut(stranger):
    post(stranger, [quick_order_event(id=7, source="x" * 9_000, **{"k" * 199: "y" * 10_001})], Origin="o" * 300)

    kept = Refusal.objects.get()
    assert len(kept.event) == refusals.MAX_EVENT_BYTES
    assert max(map(len, (kept.origin, kept.field, kept.reason))) == 200


def test_of_a_request_the_first_hundred_are_kept_and_all_counted(stranger):
    post(stranger, [{"name": 7}] * 150)

    assert Refusal.objects.count() == 100
    assert IntakeTally.objects.get().rejected == 150


def test_nothing_is_kept_of_imports_and_of_events_that_are_fine(stranger):
    post(stranger, [quick_order_event(), {"name": "guardrail.alert"}])
    assert import_events([quick_order_event(id=7)]).refused

    assert not Refusal.objects.exists()


def test_the_newest_are_kept_for_two_weeks(stranger, monkeypatch):
    monkeypatch.setattr(refusals, "MAX_ROWS", 5)
    post(stranger, [{"name": 7}] * 7)
    refusals.prune()
    assert sorted(Refusal.objects.values_list("index", flat=True)) == [2, 3, 4, 5, 6]

    Refusal.objects.filter(index=6).update(at=Now() - refusals.KEPT_FOR - timedelta(seconds=1))
    refusals.prune()

    assert Refusal.objects.count() == 4
