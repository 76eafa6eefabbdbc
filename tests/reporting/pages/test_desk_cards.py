"""The line of health and the cards of the desk's first page."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting.exports import runs
from reporting.feeds import FEEDS, schedule
from reporting.insights import freshness
from reporting.models import Checkpoint, ExportRun
from tests.database import add_quick_orders, capture, export
from tests.factories import quick_order_event

CARDS = "/admin/reports/cards"

pytestmark = pytest.mark.django_db


def run_of(feed: str, state: str, age: timedelta, **fields) -> ExportRun:
    run = runs.request_run(FEEDS[feed], ExportRun.Trigger.SCHEDULE)
    at = timezone.now() - age
    ExportRun.objects.filter(pk=run.pk).update(
        state=state, created_at=at, started_at=at, finished_at=None if state in {"queued", "running"} else at, **fields
    )
    return run


def fresh() -> None:
    for feed in FEEDS:
        run_of(feed, "succeeded", timedelta(minutes=1), object_uri="file:///lake/object", rows=3, bytes=2_048)


def shown(client) -> str:
    return " ".join(client.get(CARDS).content.decode().split())


class TestCards:
    @pytest.mark.parametrize("permission", ["view_checkpoint", "change_checkpoint", "rewind_checkpoint"])
    def test_the_checkpoint_is_a_link_for_those_who_may_open_it(self, staff_with, permission):
        capture([quick_order_event()])
        export()
        page = "/admin/reporting/checkpoint/quick_order/change/"

        assert f'href="{page}"' not in shown(staff_with("reporting.view_exportrun"))
        allowed = staff_with("reporting.view_exportrun", f"reporting.{permission}")
        assert f'href="{page}"' in shown(allowed)
        assert allowed.get(page).status_code == 200

    def test_a_card_tells_object_checkpoint_and_what_waits(self, operator):
        capture([quick_order_event() for _ in range(3)])
        export()
        capture([quick_order_event() for _ in range(2)])

        page = shown(operator)

        position = Checkpoint.objects.get(pk="quick_order").position
        assert f"position {position}" in page
        assert "3 rows, " in page
        assert "2 rows waiting to export" in page

    def test_waiting_rows_are_counted_up_to_a_limit(self, operator, monkeypatch):
        monkeypatch.setattr(freshness, "MAX_WAITING", 3)
        capture([quick_order_event() for _ in range(5)])

        assert "more than 3 rows waiting to export" in shown(operator)

    def test_the_workflow_link_is_the_one_of_the_settings(self, operator, settings):
        from dataclasses import replace

        target = settings.EXPORT_TARGETS["quick_order"]
        settings.EXPORT_TARGETS = settings.EXPORT_TARGETS | {
            "quick_order": replace(target, workflow_url="https://ci.example/workflows/7")
        }

        assert 'href="https://ci.example/workflows/7"' in shown(operator)

    def test_controls_need_their_permissions(self, staff_with):
        fresh()
        viewer = shown(staff_with("reporting.view_exportrun"))

        assert "Open run" in viewer
        assert not any(control in viewer for control in ("Run now", "Download latest"))
        assert staff_with().get(CARDS).status_code == 403

    def test_it_takes_the_same_few_statements_whatever_there_is(self, operator):
        def count() -> int:
            with CaptureQueriesContext(connection) as queries:
                operator.get(CARDS)
            return len(queries)

        empty = count()
        fresh()
        capture([quick_order_event() for _ in range(50)])

        assert count() == empty <= 10

    def test_the_newest_runs_are_found_without_reading_the_others(self):
        for _ in range(300):
            fresh()
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE reporting_exportrun")
            for newest in (ExportRun.objects.newest_of_each_feed(), ExportRun.objects.newest_sound_of_each_feed()):
                statement, parameters = newest.query.sql_with_params()
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
                (plan,) = cursor.fetchone()
                read = [node["Actual Rows"] for node in nodes(plan[0]["Plan"]) if "Scan" in node["Node Type"]]
                assert max(read) <= 4

    def test_counting_what_waits_reads_no_more_than_it_shows(self, operator):
        add_quick_orders(20_000)
        with CaptureQueriesContext(connection) as queries:
            operator.get(CARDS)
        counting = next(query["sql"] for query in queries if "LIMIT 1001" in query["sql"])

        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {counting}")
            (plan,) = cursor.fetchone()
        read = [node["Actual Rows"] for node in nodes(plan[0]["Plan"]) if "Scan" in node["Node Type"]]
        assert max(read) == 1_001


def nodes(plan: dict) -> Iterator[dict]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


class TestSchedule:
    @pytest.mark.parametrize(
        ("feed", "now", "next_start"),
        [
            ("quick_order", "2026-11-23T10:00:00", "2026-11-23T10:30:00"),
            ("quick_order", "2026-11-23T10:29:59", "2026-11-23T10:30:00"),
            ("quick_order", "2026-11-23T23:45:00", "2026-11-24T00:00:00"),
            ("onboarding_segments", "2026-11-23T10:15:00", "2026-11-23T11:15:00"),
            ("guardrail_followups", "2026-12-31T23:06:00", "2027-01-01T00:05:00"),
        ],
    )
    def test_the_next_run_is_the_next_minute_of_the_schedule(self, feed, now, next_start):
        at = datetime.fromisoformat(now).replace(tzinfo=UTC)

        assert schedule.next_run(FEEDS[feed], at) == datetime.fromisoformat(next_start).replace(tzinfo=UTC)
