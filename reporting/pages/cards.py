"""The cards of the feeds: how each one's exports stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from reporting.feeds import FEEDS, Feed
from reporting.models import Checkpoint, ExportRun
from reporting.rows import Writer, long_writers
from reporting.shapes import model_of

#: A feed is late when its newest success is older than this many intervals of its schedule.
LATE_AFTER_INTERVALS = 2
#: A writer that is older than this holds exports back noticeably.
LONG_WRITER = timedelta(seconds=5)


@dataclass(frozen=True)
class Card:
    """What the page shows of one feed.

    Attributes:
        feed: the feed.
        run: its newest run that was not skipped.
        success: its newest successful run that made an object.
        checkpoint: how far it is exported.
        is_late: whether its last sound run is older than its schedule allows.
        writers: transactions that hold its next export back.
    """

    feed: Feed
    run: ExportRun | None
    success: ExportRun | None
    checkpoint: Checkpoint | None
    is_late: bool
    writers: list[Writer]


def section(request: HttpRequest) -> dict[str, Any]:
    """The cards, one a feed."""
    return {"cards": list(_cards())}


def _cards() -> Iterator[Card]:
    newest = {run.feed: run for run in ExportRun.objects.newest_of_each_feed()}
    successes = {run.feed: run for run in ExportRun.objects.newest_artifact_of_each_feed()}
    sound = {run.feed: run.finished_at for run in ExportRun.objects.newest_sound_of_each_feed()}
    checkpoints = Checkpoint.objects.in_bulk()
    models = {feed.key: model_of(feed) for feed in FEEDS.values()}
    writers = long_writers(models.values(), LONG_WRITER)
    now = timezone.now()
    for feed in FEEDS.values():
        at, table = sound.get(feed.key), models[feed.key]._meta.db_table
        yield Card(
            feed=feed,
            run=newest.get(feed.key),
            success=successes.get(feed.key),
            checkpoint=checkpoints.get(feed.key),
            is_late=at is not None and is_late(feed, at, now),
            writers=[writer for writer in writers if writer.table == table],
        )


def is_late(feed: Feed, succeeded_at: datetime, now: datetime) -> bool:
    """Whether the newest success of ``feed`` is older than its schedule allows."""
    return now - succeeded_at > LATE_AFTER_INTERVALS * feed.interval
