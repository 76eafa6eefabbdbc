"""Export runs, from request to end: claim → export → end → Slack."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from django.db import DatabaseError
from django.utils import timezone

from reporting.alerts.runs import announce
from reporting.checkpoints.stores import CheckpointError
from reporting.exports.claims import NothingToExportError, claimed, skip
from reporting.exports.sinks import SinkError
from reporting.feeds import Feed
from reporting.feeds.fence import FenceTimeoutError
from reporting.feeds.lock import FeedBusyError, held
from reporting.lake import storage
from reporting.models import ExportRun, FeedPause
from smplat.lib.queueing import queue_task

logger = logging.getLogger(__name__)
State = ExportRun.State
#: A queued run that is older was not taken by a worker, or its message was lost.
HAND_OVER_AFTER = timedelta(seconds=10)
#: What a run may fail of; anything else is a defect, which closes the run too and is raised.
FAILURES = (storage.LakeError, SinkError, FenceTimeoutError, CheckpointError, DatabaseError, OSError)


def request_run(feed: Feed, trigger: ExportRun.Trigger, user_id: int | None = None) -> ExportRun:
    """Record that a run of ``feed`` is wanted."""
    return ExportRun.objects.create(feed=feed.key, trigger=trigger, requested_by_id=user_id)


def perform(run: ExportRun) -> ExportRun:
    """Carry out a queued run to its end, and tell Slack.

    Returns:
        The run in its final state: succeeded, failed (with ``error``), or skipped, because another run of the feed is
        in progress or there is nothing to export.
    """
    try:
        with claimed(run):
            _perform_claimed(run)
    except FeedBusyError as reason:
        skip(run, reason)
        return run
    announce(run)
    return run


def perform_on_schedule(feed: Feed) -> ExportRun | None:
    """Carry out the run that is due by the schedule, as :func:`perform`; None for a feed that is paused."""
    if FeedPause.objects.filter(pk=feed.key).exists():
        return None
    return perform(request_run(feed, ExportRun.Trigger.SCHEDULE))


def perform_requested(run_id: str) -> None:
    """Carry out a run that an operator asked for; where its message came twice, one of the two does nothing."""
    with suppress(FeedBusyError), held(run_id):
        if run := ExportRun.objects.filter(pk=run_id, state=State.QUEUED).first():
            perform(run)


def hand_over(run: ExportRun) -> bool:
    """Tell a worker of a queued run; return whether the broker took that. A run taken twice is carried out once."""
    return queue_task("reporting.export_requested", str(run.pk))


def hand_over_again() -> int:
    """Tell a worker of the runs that operators asked for and that none took within seconds; return how many."""
    waiting = ExportRun.objects.filter(
        state=State.QUEUED, trigger=ExportRun.Trigger.OPERATOR, created_at__lt=timezone.now() - HAND_OVER_AFTER
    )
    return sum(hand_over(run) for run in waiting.order_by("created_at"))


def _perform_claimed(run: ExportRun) -> None:
    try:
        exporter_of(run)(run)
    except NothingToExportError as reason:
        skip(run, reason)
    except FAILURES as error:
        logger.exception("Export run %s of %s failed", run.pk, run.feed)
        run.close(State.FAILED, f"{_sentence(error)} The checkpoint did not move; the next run starts from it.")
    except BaseException as error:
        run.close(State.FAILED, f"A defect stopped the run ({type(error).__name__}); the log of the worker has more.")
        announce(run)
        raise


def exporter_of(run: ExportRun) -> Callable[[ExportRun], None]:
    """What carries out a run of its kind of feed."""
    # Each has imports of its own, and commands that export without a run need neither.
    if run.definition.window is None:
        from reporting.exports import incremental_job

        return incremental_job.export
    from reporting.exports import window_job

    return window_job.export


def _sentence(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return f"{text[0].upper()}{text[1:]}".rstrip(".") + "."
