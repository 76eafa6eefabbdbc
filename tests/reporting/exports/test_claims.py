"""Crashed and forgotten runs."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from reporting import tasks
from reporting.exports import claims, runs
from reporting.feeds import FEEDS
from reporting.feeds.lock import FeedBusyError, held
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

    def test_who_looks_for_them_is_in_the_way_of_no_run(self):
        ended = threading.Event()

        def look() -> None:
            while not ended.is_set():
                claims.close_crashed_runs()
            connection.close()

        thread = threading.Thread(target=look)
        thread.start()
        try:
            for run in [request() for _ in range(100)]:
                with claims.claimed(run):
                    run.close(ExportRun.State.SUCCEEDED, "Done.")
        finally:
            ended.set()
            thread.join()

        assert {run.state for run in ExportRun.objects.all()} == {"succeeded"}

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


@pytest.mark.django_db
class TestRunsThatNobodyWasToldOf:
    def queued(self, age: timedelta, trigger: ExportRun.Trigger = ExportRun.Trigger.OPERATOR) -> ExportRun:
        run = runs.request_run(FEED, trigger)
        ExportRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - age)
        return run

    def test_the_next_tick_carries_them_out(self, eager_tasks):
        run = self.queued(timedelta(seconds=30))

        tasks.close_crashed_runs()

        run.refresh_from_db()
        assert run.state == "skipped", "there is nothing to export, which only a worker finds out"
        assert run.started_at is not None

    @pytest.mark.parametrize(
        ("age", "trigger"),
        [(timedelta(seconds=1), ExportRun.Trigger.OPERATOR), (timedelta(seconds=30), ExportRun.Trigger.COMMAND)],
        ids=["queued just now", "a command's"],
    )
    def test_others_are_left_to_whom_they_belong(self, eager_tasks, age, trigger):
        run = self.queued(age, trigger)

        assert runs.hand_over_again() == 0

        run.refresh_from_db()
        assert run.state == "queued"


@pytest.mark.django_db(transaction=True)
class TestMessagesThatComeTwice:
    def come_again(self, run: ExportRun) -> str:
        """Carry out the run's task in another session; return the state that it leaves."""

        def work() -> None:
            tasks.export_requested(str(run.pk))
            connection.close()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        run.refresh_from_db()
        return run.state

    def test_the_second_does_not_close_the_run_that_the_first_carries_out(self):
        run = request()

        with claims.claimed(run):
            assert self.come_again(run) == "running"

    def test_nor_does_it_where_the_first_is_just_beginning(self):
        run = request()

        with held(str(run.pk)), held(run.feed):
            assert self.come_again(run) == "queued"
