"""What the capture routes note for the ledger."""

import json
import threading

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from telemetry.models import IntakeTally, QuickOrderEvent
from tests.factories import quick_order_event, workflow_event

GENERAL, QUICK_ORDER = "/api/telemetry", "/api/telemetry/quick-order"
OUTCOMES = ("received", "accepted", "duplicates", "ignored", "rejected")
QUICK_ORDERS, WORKFLOW, NO_FEED = "telemetry.QuickOrderEvent", "telemetry.GuardrailWorkflowEvent", ""


def post(client, body, route: str = GENERAL):
    return client.generic("POST", route, json.dumps(body), content_type="application/json")


def tallies() -> dict[str, tuple[int, ...]]:
    """What was noted, by line: received, accepted, duplicates, ignored, rejected."""
    sums = IntakeTally.objects.values_list("line").annotate(*map(Sum, OUTCOMES))
    return {line: tuple(figures) for line, *figures in sums}


@pytest.mark.django_db
class TestOneRequest:
    def test_every_event_counts_on_its_feeds_line(self, stranger):
        known = quick_order_event()
        post(stranger, known)
        IntakeTally.objects.all().delete()

        post(
            stranger,
            [
                known,
                quick_order_event(),
                quick_order_event(recordedAt="yesterday"),
                workflow_event(),
                workflow_event(id=5),
                {"name": "experiment.exposure"},
                {"name": ["no text"]},
                "no object",
            ],
        )

        assert tallies() == {
            QUICK_ORDERS: (3, 1, 1, 0, 1),
            WORKFLOW: (2, 1, 0, 0, 1),
            NO_FEED: (3, 0, 0, 1, 2),
        }

    def test_an_event_that_a_route_does_not_take_is_of_no_feed_there(self, stranger):
        post(stranger, [quick_order_event(), workflow_event()], QUICK_ORDER)

        assert tallies() == {QUICK_ORDERS: (1, 1, 0, 0, 0), NO_FEED: (1, 0, 0, 1, 0)}

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"name": "experiment.exposure"}, {NO_FEED: (1, 0, 0, 1, 0)}),
            (quick_order_event(id=7), {QUICK_ORDERS: (1, 0, 0, 0, 1)}),
        ],
        ids=["ignored", "rejected"],
    )
    def test_a_request_that_stores_nothing_counts_too(self, stranger, body, expected):
        post(stranger, body)

        assert tallies() == expected

    def test_ids_that_were_minted_count_on_the_feeds_line(self, stranger):
        bare = quick_order_event(id=None)

        post(stranger, [bare, bare, quick_order_event(), workflow_event(), {**bare, "recordedAt": "yesterday"}])

        assert tallies()[QUICK_ORDERS] == (4, 3, 0, 0, 1)
        assert dict(IntakeTally.objects.values_list("line", "minted")) == {QUICK_ORDERS: 2, WORKFLOW: 0}

    def test_an_id_twice_in_one_body_counts_once_as_a_duplicate(self, stranger):
        event = quick_order_event()

        post(stranger, [event, event])

        assert tallies() == {QUICK_ORDERS: (2, 1, 1, 0, 0)}

    @pytest.mark.parametrize("body", ["", "[]", "not json"])
    def test_a_body_that_is_refused_as_a_whole_holds_no_event(self, stranger, body):
        assert stranger.generic("POST", GENERAL, body, content_type="application/json").status_code == 400

        assert tallies() == {}

    @pytest.mark.parametrize("body", [[quick_order_event(), workflow_event()], {"name": "other"}], ids=["both", "none"])
    def test_it_is_one_statement(self, stranger, body):
        executed = []

        def note(execute, sql, params, many, context):
            executed.append(sql)
            return execute(sql, params, many, context)

        with CaptureQueriesContext(connection) as queries, connection.execute_wrapper(note):
            post(stranger, body)

        # The prepared statement goes past Django's log, which would show any other.
        assert (len(queries), executed) == (0, [])
        assert sum(line[0] for line in tallies().values()) == len(body if isinstance(body, list) else [body])


@pytest.mark.django_db(transaction=True)
def test_counters_are_neither_lost_nor_doubled_by_requests_at_once(client_of_threads):
    events = [quick_order_event() for _ in range(40)]

    client_of_threads(4, lambda client: [post(client, event) for event in events])

    assert QuickOrderEvent.objects.count() == 40
    assert tallies() == {QUICK_ORDERS: (160, 40, 120, 0, 0)}


@pytest.fixture
def client_of_threads():
    """A runner of one function in several threads at once, each with a client and a database session of its own."""
    from rest_framework.test import APIClient

    def run(count: int, act) -> None:
        def work() -> None:
            try:
                act(APIClient())
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run
