"""Who runs which export: one run per feed at a time, and crashed runs are found.

A running export holds two things: the only `running` row of its feed (a unique index), which says that it runs, and a
PostgreSQL advisory lock of its database session, which says that its process lives. The lock goes with the process,
however it ends; a running row without a lock is a run whose process died.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from reporting.alerts.runs import announce
from reporting.exports.outcomes import close
from reporting.feeds import FEEDS
from reporting.models import ExportRun

# The first half of the lock's two-part key; any number that no other use of advisory locks in this database takes.
_LOCK_CLASS = 0x5350
QUEUE_PATIENCE = timedelta(minutes=15)
State = ExportRun.State


class AlreadyRunning(RuntimeError):
    """Another run of the feed is in progress."""


@contextmanager
def claimed(run: ExportRun) -> Iterator[None]:
    """Hold the feed of ``run`` for the time of the block, and mark the run as running.

    Raises:
        AlreadyRunning: another process holds the feed.
    """
    with feed_lock(run.feed):
        _start(run)
        yield


@contextmanager
def feed_lock(feed_key: str) -> Iterator[None]:
    """Hold a feed for the time of the block, so that no run of it is in progress; close a run whose process died.

    Raises:
        AlreadyRunning: another process holds the feed.
    """
    with _lock(feed_key) as held:
        if not held:
            raise AlreadyRunning(f"another run of {feed_key} is in progress")
        _close_dead_run(feed_key)
        yield


def _start(run: ExportRun) -> None:
    started_at = timezone.now()
    try:
        with transaction.atomic():
            queued = ExportRun.objects.filter(pk=run.pk, state=State.QUEUED)
            won = queued.update(state=State.RUNNING, started_at=started_at)
    except IntegrityError as error:
        raise AlreadyRunning(f"another run of {run.feed} is in progress") from error
    if won != 1:
        raise AlreadyRunning(f"run {run.pk} was taken by another worker or closed")
    run.state, run.started_at = State.RUNNING, started_at


def close_crashed_runs() -> int:
    """Close runs whose process died as failed, and queued ones that no worker took; return how many."""
    closed = 0
    for feed_key in FEEDS:
        with _lock(feed_key) as held:
            closed += _close_dead_run(feed_key) if held else 0
    forgotten = ExportRun.objects.filter(state=State.QUEUED, created_at__lt=timezone.now() - QUEUE_PATIENCE)
    minutes = int(QUEUE_PATIENCE.total_seconds() // 60)
    return closed + _fail(
        forgotten,
        f"No worker took the run within {minutes} minutes. Is the worker running, and the broker reachable?",
    )


def _close_dead_run(feed_key: str) -> int:
    """Close the feed's running run; the caller holds the feed's lock, so no process is behind it."""
    return _fail(
        ExportRun.objects.filter(feed=feed_key, state=State.RUNNING),
        "The process of this run, or its database session, ended before the run did. Nothing is lost: "
        "the next run starts where the last successful one ended.",
    )


def _fail(runs: QuerySet[ExportRun], error: str) -> int:
    """Close ``runs`` as failed, tell Slack, and return how many they were."""
    found = list(runs)
    for run in found:
        close(run, State.FAILED, error)
        announce(run)
    return len(found)


@contextmanager
def _lock(feed_key: str) -> Iterator[bool]:
    """Try to take the feed's advisory lock; give whether it was taken."""
    key = [_LOCK_CLASS, zlib.crc32(feed_key.encode()) & 0x7FFFFFFF]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        # A broken connection has lost the lock already, and cannot be asked to give it back.
        if held and connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)
