"""How each feed's exports stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from psycopg import sql

from reporting.feeds import FEEDS, Feed, schedule
from reporting.feeds.fence import Writer, long_writers
from reporting.feeds.shapes import model_of
from reporting.models import Checkpoint, ExportRun, FeedPause

#: A feed is late when its newest success is older than this many intervals of its schedule.
LATE_AFTER_INTERVALS = 2


#: A writer that is older than this holds exports back noticeably.
LONG_WRITER = timedelta(seconds=5)


#: Rows after a checkpoint are counted up to here.
MAX_WAITING = 1_000


@dataclass(frozen=True)
class Card:
    """What the page shows of one feed.

    Attributes:
        feed: the feed.
        run: its newest run that was not skipped.
        success: its newest successful run that made an object.
        sound_at: when a run last left nothing to be exported, None if none ever did.
        checkpoint: how far it is exported.
        is_late: whether its last successful run is older than its schedule allows.
        waiting: rows after the checkpoint, of which ``MAX_WAITING`` are counted.
        next_run: when its job starts next.
        writers: transactions that hold its next export back.
        pause: since when and why its schedule is paused; None while it is not.
    """

    feed: Feed
    run: ExportRun | None
    success: ExportRun | None
    sound_at: datetime | None
    checkpoint: Checkpoint | None
    is_late: bool
    waiting: int
    next_run: datetime
    writers: list[Writer]
    pause: FeedPause | None

    @property
    def waiting_text(self) -> str:
        """How many rows wait, in words."""
        return f"more than {MAX_WAITING:,}" if self.waiting > MAX_WAITING else f"{self.waiting:,}"

    @property
    def workflow_url(self) -> str:
        """Where the workflow of the job is shown: as the settings say, else the page of its newest run."""
        target = settings.EXPORT_TARGETS.get(self.feed.key)
        configured = target.workflow_url if target else settings.WORKFLOW_URLS[self.feed.key]
        return configured or (self.run.get_absolute_url() if self.run else "")


def is_late(feed: Feed, succeeded_at: datetime, now: datetime) -> bool:
    """Whether the newest success of ``feed`` is older than its schedule allows."""
    return now - succeeded_at > LATE_AFTER_INTERVALS * feed.interval


def cards() -> Iterator[Card]:
    newest = {run.feed: run for run in ExportRun.objects.newest_of_each_feed()}
    successes = {run.feed: run for run in ExportRun.objects.newest_artifact_of_each_feed()}
    sound = {run.feed: run.finished_at for run in ExportRun.objects.newest_sound_of_each_feed()}
    checkpoints = Checkpoint.objects.in_bulk()
    models = {feed.key: model_of(feed) for feed in FEEDS.values()}
    writers = long_writers(models.values(), LONG_WRITER)
    waiting = _waiting({key: checkpoint.position for key, checkpoint in checkpoints.items()})
    pauses = {pause.feed: pause for pause in FeedPause.objects.select_related("user")}
    now = timezone.now()
    for feed in FEEDS.values():
        at, table = sound.get(feed.key), models[feed.key]._meta.db_table
        yield Card(
            feed=feed,
            run=newest.get(feed.key),
            success=successes.get(feed.key),
            sound_at=at,
            checkpoint=checkpoints.get(feed.key),
            is_late=at is not None and feed.key not in pauses and is_late(feed, at, now),
            waiting=waiting[feed.key],
            next_run=schedule.next_run(feed, now),
            writers=[writer for writer in writers if writer.table == table],
            pause=pauses.get(feed.key),
        )


def _waiting(positions: dict[str, int]) -> dict[str, int]:
    """How many rows lie after each feed's checkpoint, counted up to ``MAX_WAITING`` and one more."""
    counts = sql.SQL(", ").join(
        sql.SQL("(SELECT count(*) FROM (SELECT FROM {} WHERE position > {} LIMIT {}) AS rows)").format(
            sql.Identifier(model_of(feed)._meta.db_table),
            sql.Literal(positions.get(feed.key, 0)),
            sql.Literal(MAX_WAITING + 1),
        )
        for feed in FEEDS.values()
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {}").format(counts))
        return dict(zip(FEEDS, cursor.fetchone(), strict=True))
