"""The rows of a feed in the database, by position."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.utils import timezone

from reporting.checkpoints.content import Point
from reporting.exports.sinks import Limits
from reporting.exports.sources import Scope
from reporting.exports.sources.workers import blocks_of_workers, snapshot
from reporting.feeds import Feed
from reporting.feeds.csv import csv_blocks, csv_header
from reporting.feeds.fence import FENCE_TIMEOUT, fence
from reporting.feeds.lines import Block, Figures, Line, RowRange, Size, position_before
from reporting.feeds.shapes import model_of
from smplat.lib.times import iso


@dataclass(frozen=True)
class DatabaseSource:
    """Rows between two positions.

    Attributes:
        rows: the rows, all settled.
        shape: ``wire`` or ``warehouse``.
        workers: how many database sessions share the work of a stream.
        is_csv: whether a stream is CSV, which has the columns of the warehouse, rather than JSON.
    """

    rows: RowRange
    shape: str
    workers: int = 1
    is_csv: bool = False

    def parts(self, limits: Limits) -> Iterator[Iterable[Line]]:
        """The rows, cut at the rows of a batch."""
        for part in self.rows.parts(limits.rows):
            # A sink that confirms each batch is a slow one; its rows are few, and the database need not wait for it.
            yield list(part.lines(self.shape))

    @contextmanager
    def stream(self) -> Iterator["Snapshot"]:
        """The rows as one snapshot of the database shows them, which lasts until the context ends."""
        with snapshot():
            yield Snapshot(self)

    def checkpoint(self, last: Line, rows: int) -> Point:
        """The checkpoint at the position of ``last``."""
        return Point(self.rows.feed.key, last.time, last.position, rows, iso(timezone.now()))

    def size(self) -> Size:
        """How many rows and bytes there are, and the first and the last key; counted by PostgreSQL."""
        return self.rows.size(self.shape)


@dataclass(frozen=True)
class Snapshot:
    """Rows, and what is asked of them, within one transaction: rows that are erased meanwhile are in all or in none.

    Attributes:
        source: which rows, and how they are written.
    """

    source: DatabaseSource

    def blocks(self) -> Iterator[Block]:
        """The rows, of which several workers each read a span of time."""
        rows, workers = self.source.rows, self.source.workers
        if self.source.is_csv:
            yield Block(0, csv_header(rows.feed))
        yield from self._read(rows) if workers == 1 else blocks_of_workers(rows.by_time(workers), self._read)

    def last(self) -> Line | None:
        return self.source.rows.newest()

    def figures(self) -> Figures:
        """What a receipt says of the rows; summed up by PostgreSQL."""
        return self.source.rows.figures()

    def _read(self, rows: RowRange) -> Iterator[Block]:
        return csv_blocks(rows) if self.source.is_csv else rows.blocks(self.source.shape)


def rows_in_scope(scope: Scope, point: Point | None) -> RowRange:
    """The settled rows that a run has to take.

    Args:
        scope: which rows are wanted.
        point: the checkpoint, None where there is none yet.

    Raises:
        reporting.feeds.fence.FenceTimeoutError: writers of the table did not end.
    """
    position = fence(model_of(scope.feed), FENCE_TIMEOUT)
    rows = replace(_after(scope, point), until=position, provider_id=scope.provider_id)
    if scope.until is not None:
        rows = rows.up_to_time(scope.until)
    return rows if scope.max_rows is None else rows.first(scope.max_rows)


def rows_of_job(feed: Feed, after: int, timeout: timedelta) -> RowRange:
    """The settled rows that a run of the feed's job has to take.

    Args:
        feed: the feed; the rows of one with a window reach back as far as its object does.
        after: the position of the checkpoint, 0 where there is none yet.
        timeout: how long to wait for writers of the table.

    Raises:
        reporting.feeds.fence.FenceTimeoutError: they did not end.
    """
    model = model_of(feed)
    until = fence(model, timeout)
    if feed.window is not None:
        first = model.objects.for_object(feed.window, after, until).values_list("position", flat=True).first()
        after = until if first is None else first - 1
    return RowRange(feed, after, until)


def _after(scope: Scope, point: Point | None) -> RowRange:
    if scope.cursor is not None:
        return RowRange(scope.feed, position_before(scope.feed, scope.cursor), 0, since=scope.cursor)
    if point is None:
        return RowRange(scope.feed, 0, 0)
    if point.position is not None or point.cursor is None:
        return RowRange(scope.feed, point.position or 0, 0)
    # From a checkpoint by time, rows with later positions are taken whatever their time: a row that was stored a
    # little earlier and committed late would be left out by its time for ever.
    return RowRange(scope.feed, position_before(scope.feed, datetime.fromisoformat(point.cursor)), 0)
