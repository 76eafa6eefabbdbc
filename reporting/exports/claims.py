"""Who runs which export: one run per feed at a time, and crashed runs are found.

A running export holds two things: the only `running` row of its feed (a unique index), which says that it runs, and a
PostgreSQL advisory lock of its database session, which says that its process lives. The lock goes with the process,
however it ends; a running row without a lock is a run whose process died.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from django.utils import timezone

from reporting.alerts.runs import close_dead, close_failed
from reporting.feeds.lock import FeedBusyError, held, is_held
from reporting.models import ExportRun

State = ExportRun.State


class NothingToExportError(Exception):
    """There is no row to export."""

    def __init__(self) -> None:
        super().__init__("there is nothing to export")


@contextmanager
def claimed(run: ExportRun) -> Iterator[None]:
    """Hold the feed of ``run`` for the time of the block, and mark the run as running; close a run whose process died.

    Raises:
        FeedBusyError: another process holds the feed.
    """
    with held(run.feed):
        close_dead(ExportRun.objects.of(run.feed))
        _start(run)
        yield


def _start(run: ExportRun) -> None:
    started_at = timezone.now()
    try:
        with transaction.atomic():
            queued = ExportRun.objects.filter(pk=run.pk, state=State.QUEUED)
            won = queued.update(state=State.RUNNING, started_at=started_at)
    except IntegrityError as error:
        raise FeedBusyError(f"another run of {run.feed} is in progress") from error
    if won != 1:
        raise FeedBusyError(f"run {run.pk} was taken by another worker or closed")
    run.state, run.started_at = State.RUNNING, started_at


def skip(run: ExportRun, reason: FeedBusyError | NothingToExportError) -> None:
    """End a run that has nothing to do."""
    run.close(State.SKIPPED, f"Skipped: {reason}.")


def close_crashed_runs() -> int:
    """Close runs whose process died as failed, and queued ones that no worker took; return how many.

    No feed is held for it, or a run that starts meanwhile would be skipped.
    """
    found = {run.pk for run in ExportRun.objects.filter(state=State.RUNNING) if not is_held(run.feed)}
    # What ran before its feed was seen free, and runs after that, has no process.
    closed = close_dead(ExportRun.objects.filter(pk__in=found))
    forgotten = ExportRun.objects.filter(state=State.QUEUED, created_at__lt=timezone.now() - ExportRun.QUEUE_TIMEOUT)
    minutes = int(ExportRun.QUEUE_TIMEOUT.total_seconds() // 60)
    return closed + close_failed(
        forgotten,
        f"No worker took the run within {minutes} minutes. Is the worker running, and the broker reachable?",
    )
