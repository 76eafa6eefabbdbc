"""Rows in the test's database: captured and recorded as the doors do it, or many by one statement."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.models import ExportRun, GuardrailFollowUp
from reporting.recording import followups, segments
from telemetry import intake
from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent
from tests.factories import experiment, follow_up, quick_order_event


def database_url() -> str:
    """The URL of the test's database, for sessions and processes beside the test's own."""
    values = connection.settings_dict
    host = values["OPTIONS"].get("host") or values["HOST"]
    return f"postgresql://postgres:@/{values['NAME']}?host={host}"


def capture(events: list[Any]) -> intake.Intake:
    """Capture ``events`` as the general route does."""
    return intake.capture(events, (QuickOrderEvent, GuardrailWorkflowEvent))


def capture_quick_orders(count: int = 1, **changes: Any) -> list[str]:
    """Capture ``count`` quick orders, and return their ids in the order of arrival."""
    events = [quick_order_event(**changes) for _ in range(count)]
    capture(events)
    return [event["id"] for event in events]


def record_segment(*names: str, order_id: uuid.UUID | None = None, **changes: Any) -> uuid.UUID:
    """Record one experiment of an order, which is a new one unless it is given; return the event's id."""
    return segments.record(order_id or uuid.uuid4(), [experiment(*names, **changes)])[0]


def record_segments(count: int) -> list[str]:
    """Record ``count`` orders with one experiment each, and return the events' ids."""
    return [str(record_segment()) for _ in range(count)]


def record_follow_up(**changes: Any) -> dict[str, Any]:
    """Record a follow-up and return what the route answers."""
    return followups.record(follow_up(**changes))


def create_follow_up(**changes: Any) -> GuardrailFollowUp:
    """Store the row of a follow-up alone, at a time of the test's own, without its provider's state."""
    row = GuardrailFollowUp.objects.create(**{"created_at": timezone.now(), **follow_up(**changes)})
    row.refresh_from_db()
    return row


def export(feed_key: str = "quick_order") -> ExportRun:
    """Carry out a run of a feed to its end, and return it as it was stored."""
    run = runs.perform(runs.request_run(FEEDS[feed_key], ExportRun.Trigger.COMMAND))
    run.refresh_from_db()
    return run


def add_quick_orders(count: int) -> None:
    """Add ``count`` events by one statement, with every second position unused, as after events that came twice."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO telemetry_quickorderevent (position, event_id, recorded_at, event_name, metadata, event)"
            " SELECT nextval('telemetry_quickorderevent_position_seq')"
            "  + 0 * nextval('telemetry_quickorderevent_position_seq'),"
            " gen_random_uuid(), now(), 'quick_order.start', '{}', '{\"name\": \"quick_order.start\"}'"
            " FROM generate_series(1, %s)",
            [count],
        )
        cursor.execute("ANALYZE telemetry_quickorderevent")


def add_segments(count: int, first: datetime | None = None, step: timedelta = timedelta()) -> None:
    """Add ``count`` segments by one statement.

    Args:
        count: how many.
        first: the time of the first one; without it, each has the time at which it is written.
        step: how much later each is than the one before.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reporting_pricingexperimentsegment"
            " (event_id, journey_id, order_id, slug, variant_key, is_control, status, recorded_at)"
            " SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'a', 'b', false, 'running',"
            " coalesce(%s::timestamptz + n * %s * interval '1 second', clock_timestamp())"
            " FROM generate_series(0, %s - 1) AS n",
            [first, step.total_seconds(), count],
        )


def add_follow_ups(count: int, first: datetime, providers: int) -> None:
    """Add ``count`` follow-ups by one statement, a second apart from ``first``, of ``providers`` providers in turn."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO provider_guardrail_followup (follow_up_id, provider_id, action, created_at)"
            " SELECT gen_random_uuid(), 'provider-' || n %% %s, 'pause', %s + n * interval '1 second'"
            " FROM generate_series(0, %s - 1) AS n",
            [providers, first, count],
        )
