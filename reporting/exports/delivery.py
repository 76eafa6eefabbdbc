"""Incremental exports: what lies behind a checkpoint, to a sink, and then the checkpoint.

The checkpoint moves only after the sink has confirmed. A run that ends anywhere before leaves the checkpoint where it
was, and the next run delivers the same rows again, identical and under the same keys.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.utils import timezone

from reporting.checkpoints.stores import CheckpointStore, Point
from reporting.exports.batches import deliver
from reporting.exports.sinks import Sink
from reporting.feeds import Feed
from reporting.feeds.fence import FENCE_TIMEOUT, fence
from reporting.feeds.lines import Line, RowRange, position_before
from reporting.feeds.shapes import model_of
from smplat.lib.times import iso


@dataclass(frozen=True)
class Scope:
    """Which rows an export takes.

    Attributes:
        feed: the feed.
        shape: ``wire`` or ``warehouse``.
        cursor: a time to start at, inclusive, in place of the checkpoint.
        until: a time after which rows are left to a later run.
        provider_id: the one provider to keep to.
        max_rows: rows of the whole run, at most; None for all.
        batch_rows: rows of one batch, at most; None for what the sink takes.
    """

    feed: Feed
    shape: str = "wire"
    cursor: datetime | None = None
    until: datetime | None = None
    provider_id: str | None = None
    max_rows: int | None = None
    batch_rows: int | None = None


@dataclass
class Progress:
    """How far a run has got.

    Attributes:
        rows: rows that the sink has taken.
        bytes: bytes of their JSON, line breaks included.
        point: the checkpoint that was written last, None when it did not move.
        uris: what was made, objects before their manifests.
    """

    rows: int = 0
    bytes: int = 0
    point: Point | None = None
    uris: list[str] = field(default_factory=list)


def start_of(scope: Scope, point: Point | None) -> RowRange:
    """The settled rows that a run has to take.

    Args:
        scope: which rows are wanted.
        point: the checkpoint, None where there is none yet.

    Raises:
        reporting.feeds.fence.FenceTimeoutError: writers of the table did not end.
    """
    position = fence(model_of(scope.feed), FENCE_TIMEOUT)
    part = replace(_after(scope, point), until=position, provider_id=scope.provider_id)
    if scope.until is not None:
        part = part.up_to_time(scope.until)
    return part if scope.max_rows is None else part.first(scope.max_rows)


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


def export(
    scope: Scope, store: CheckpointStore, sink: Sink, progress: Progress, tell: Callable[[Progress], None]
) -> None:
    """Deliver to ``sink`` what lies behind the checkpoint of ``store``.

    Args:
        scope: which rows.
        store: where the checkpoint lies.
        sink: where the rows go.
        progress: is brought up to date as the run goes on, so that a caller whose run fails can say what was kept.
        tell: is called with ``progress`` after every batch.

    Raises:
        reporting.exports.sinks.SinkError: the sink refused; what is confirmed and in the checkpoint by then stays.
        reporting.checkpoints.stores.CheckpointError: the checkpoint cannot be read or written.
    """
    try:
        for part in parts(start_of(scope, store.read()), scope, sink):
            last = deliver_part(part, scope, sink, progress, tell)
            if last is None:
                continue
            if not sink.confirms_each:
                progress.uris = sink.commit()
            _move(store, scope, last, progress)
    finally:
        sink.abort()


def parts(whole: RowRange, scope: Scope, sink: Sink) -> Iterator[RowRange]:
    """Cut a slice at the rows of a batch where each batch is confirmed, so that the checkpoint can follow."""
    rows = min(scope.batch_rows or sink.limits.rows, sink.limits.rows)
    while sink.confirms_each and (part := whole.first(rows)).until < whole.until:
        yield part
        whole = replace(whole, after=part.until)
    yield whole


def deliver_part(
    part: RowRange, scope: Scope, sink: Sink, progress: Progress, tell: Callable[[Progress], None]
) -> Line | None:
    """Deliver the rows of ``part`` and return the one with the last position."""
    last: Line | None = None
    # A sink that confirms each batch is a slow one; its rows are few, and the database need not wait for it.
    lines = list(part.lines(scope.shape)) if sink.confirms_each else part.lines(scope.shape)
    for batch in deliver(lines, sink, scope.batch_rows):
        newest = max(batch, key=lambda line: line.position)
        last = newest if last is None or newest.position > last.position else last
        progress.rows += len(batch)
        progress.bytes += sum(len(line.json) + 1 for line in batch)
        tell(progress)
    return last


def _move(store: CheckpointStore, scope: Scope, last: Line, progress: Progress) -> None:
    point = Point(
        feed=scope.feed.key,
        cursor=last.time,
        position=last.position,
        rows=progress.rows,
        updated_at=iso(timezone.now()),
    )
    store.write(point)
    progress.point = point
