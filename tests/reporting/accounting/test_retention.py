"""Retention of telemetry and runs."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting import feeds
from reporting.accounting import ledger, retention
from reporting.exports import runs
from reporting.models import AuditEntry, Checkpoint, ExportRun
from reporting.models.messages import FOLLOW_UPS
from telemetry.models import QuickOrderEvent
from tests.database import capture
from tests.factories import quick_order_event

OLD = timedelta(days=100)


@pytest.fixture
def six_old_events(monkeypatch, db):
    """Six expired events under a window of two."""
    narrow = replace(feeds.FEEDS["quick_order"], window=2)
    monkeypatch.setattr(retention, "WINDOW_FEEDS", (narrow,))
    monkeypatch.setattr(retention, "_BATCH", 2)
    capture([quick_order_event() for _ in range(6)])
    QuickOrderEvent.objects.update(received_at=timezone.now() - OLD)
    return list(QuickOrderEvent.objects.order_by("position").values_list("position", flat=True))


def move_checkpoint(position: int) -> None:
    Checkpoint.objects.create(feed="quick_order", position=position, cursor=timezone.now(), rows=1)


def left() -> list[int]:
    return list(QuickOrderEvent.objects.order_by("position").values_list("position", flat=True))


def test_nothing_goes_that_is_not_in_the_lake(six_old_events):
    assert retention.apply() == 0

    move_checkpoint(six_old_events[1])
    assert retention.apply() == 2
    assert left() == six_old_events[2:]


def test_nothing_goes_that_the_window_shows(six_old_events):
    move_checkpoint(six_old_events[-1])

    assert retention.apply() == 4
    assert left() == six_old_events[4:]


def test_nothing_goes_before_its_time(six_old_events):
    move_checkpoint(six_old_events[-1])
    QuickOrderEvent.objects.filter(position__gte=six_old_events[3]).update(received_at=timezone.now())

    retention.apply()

    assert left() == six_old_events[3:]


def test_each_batch_begins_after_the_one_before(six_old_events):
    move_checkpoint(six_old_events[-1])

    with CaptureQueriesContext(connection) as queries:
        retention.apply()

    reads = [query["sql"] for query in queries if '"received_at" FROM "telemetry_quickorderevent"' in query["sql"]]
    assert [f'"position" > {after}' in sql for after, sql in zip((0, *six_old_events[1::2]), reads, strict=False)] == [
        *(True, True, True)
    ]


@pytest.mark.django_db(transaction=True)
def test_capture_waits_for_no_batch():
    capture([quick_order_event() for _ in range(6)])
    feed, positions = feeds.FEEDS["quick_order"], left()

    def capture_beside() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        try:
            return capture([quick_order_event()]).accepted
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as beside:
        ledger.expire(feed, positions[:3])
        assert beside.submit(capture_beside).result() == 1

    assert left()[:3] == positions[3:]


@pytest.mark.django_db(transaction=True)
def test_what_is_captured_meanwhile_stays_and_the_ledger_closes(monkeypatch):
    monkeypatch.setattr(retention, "_BATCH", 10)
    monkeypatch.setattr(retention, "WINDOW_FEEDS", (replace(feeds.FEEDS["quick_order"], window=2),))
    capture([quick_order_event() for _ in range(300)])
    QuickOrderEvent.objects.update(received_at=timezone.now() - OLD)
    old = left()
    move_checkpoint(old[-1])

    def capture_beside() -> int:
        try:
            return sum(capture([quick_order_event()]).accepted for _ in range(100))
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as beside:
        captured = beside.submit(capture_beside)
        retention.apply()

    retention.apply()
    ledger.fold()
    assert captured.result() == 100
    assert len([position for position in left() if position > old[-1]]) == 100
    assert ledger.read()["quick_order"].rows_remainder == 0


@pytest.mark.django_db
def test_old_runs_go_but_the_newest_success_stays():
    for state in ("succeeded", "succeeded", "failed"):
        run = runs.request_run(feeds.FEEDS["quick_order"], ExportRun.Trigger.SCHEDULE)
        ExportRun.objects.filter(pk=run.pk).update(state=state, created_at=timezone.now() - OLD)
    newest = ExportRun.objects.newest_success_of_each_feed()[0]

    retention.apply()

    assert [run.pk for run in ExportRun.objects.all()] == [newest.pk]


@pytest.mark.django_db
def test_old_slack_messages_and_automation_runs_go():
    from reporting.models import AutomationRun, SlackMessage

    for key in ("old", "new"):
        SlackMessage.objects.create(dedupe_key=key, webhook=FOLLOW_UPS, text="text")
    AutomationRun.objects.create(ran_at=timezone.now() - OLD, summary={}, metadata={})
    AutomationRun.objects.create(ran_at=timezone.now(), summary={}, metadata={})
    SlackMessage.objects.filter(dedupe_key="old").update(created_at=timezone.now() - OLD)

    retention.apply()

    assert (SlackMessage.objects.get().dedupe_key, AutomationRun.objects.count()) == ("new", 1)


def test_old_lock_outs_go_and_what_operators_did_stays(db):
    for action in (AuditEntry.Action.LOCK_OUT, AuditEntry.Action.START_RUN):
        for age in (OLD, timedelta(0)):
            AuditEntry.objects.create(username="", action=action, subject="x", at=timezone.now() - age)

    retention.apply()

    assert AuditEntry.objects.filter(action=AuditEntry.Action.LOCK_OUT).count() == 1
    assert AuditEntry.objects.filter(action=AuditEntry.Action.START_RUN).count() == 2


def test_expired_sessions_go_and_others_stay(db):
    for age in (OLD, -timedelta(days=1)):
        Session.objects.create(session_key=str(age.days), session_data="", expire_date=timezone.now() - age)

    retention.apply()

    assert [session.session_key for session in Session.objects.all()] == ["-1"]


def test_what_killed_writers_left_in_the_lake_goes_too(settings, tmp_path, db):
    left_behind = tmp_path / "lake" / ".status.json.abcdefgh.unfinished"
    left_behind.parent.mkdir()
    left_behind.touch()
    os.utime(left_behind, (0, 0))

    retention.apply()

    assert not left_behind.exists()
