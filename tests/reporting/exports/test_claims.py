"""Crashed and forgotten runs."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from reporting.exports import claims, runs
from reporting.feeds import FEEDS
from reporting.feeds.lock import FeedBusyError
from reporting.models import ExportRun

FEED = FEEDS["quick_order"]


def request() -> ExportRun:
    return runs.request_run(FEED, ExportRun.Trigger.OPERATOR)


@pytest.mark.django_db(transaction=True)
class TestCrashedRuns:
    def test_a_running_run_whose_session_is_gone_is_closed_as_failed(self):
        dead = request()
        ExportRun.objects.filter(pk=dead.pk).update(state="running", started_at=timezone.now())

        assert claims.close_crashed_runs() == 1

        dead.refresh_from_db()
        assert dead.state == "failed"
        assert dead.error.startswith("The process of this run, or its database session, ended before the run did.")

    def test_the_next_claim_closes_it_as_well(self):
        dead, following = request(), request()
        ExportRun.objects.filter(pk=dead.pk).update(state="running", started_at=timezone.now())

        with claims.claimed(following):
            states = dict(ExportRun.objects.values_list("pk", "state"))

        assert states == {dead.pk: "failed", following.pk: "running"}

    def test_a_run_that_is_alive_is_left_alone(self):
        alive = request()
        closed: list[int] = []

        def look() -> None:
            closed.append(claims.close_crashed_runs())
            connection.close()

        with claims.claimed(alive):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()

        assert closed == [0]

    def test_a_queued_run_that_no_worker_took_is_closed(self):
        forgotten, fresh = request(), request()
        ExportRun.objects.filter(pk=forgotten.pk).update(created_at=timezone.now() - timedelta(hours=1))

        claims.close_crashed_runs()

        states = dict(ExportRun.objects.values_list("pk", "state"))
        assert states == {forgotten.pk: "failed", fresh.pk: "queued"}

    def test_a_run_cannot_be_taken_twice(self):
        taken = request()
        with claims.claimed(taken):
            ExportRun.objects.filter(pk=taken.pk).update(state="succeeded")

        with pytest.raises(FeedBusyError, match="taken by another worker"), claims.claimed(taken):
            pass
