"""Export runs, from request to end: claim → export → end → Slack."""

import logging
from collections.abc import Callable

from django.db import DatabaseError

from reporting.alerts.runs import announce
from reporting.checkpoints.stores import CheckpointError
from reporting.exports import incremental_job, window_job
from reporting.exports.claims import NothingToExportError, claimed, skip
from reporting.exports.sinks import SinkError
from reporting.feeds import Feed
from reporting.feeds.fence import FenceTimeoutError
from reporting.feeds.lock import FeedBusyError
from reporting.lake import storage
from reporting.models import ExportRun

logger = logging.getLogger(__name__)
State = ExportRun.State
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


def close_unqueued(run: ExportRun) -> None:
    """End a run that could not be handed to a worker."""
    run.close(State.FAILED, "The broker cannot be reached, so no worker can be told. Nothing was exported.")


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
    return incremental_job.export if run.definition.window is None else window_job.export


def _sentence(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return f"{text[0].upper()}{text[1:]}".rstrip(".") + "."
