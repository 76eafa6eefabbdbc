"""Incremental exports: what lies after a checkpoint, from a source to a sink, and then the checkpoint.

The checkpoint moves only after the sink has confirmed. A run that ends anywhere before leaves the checkpoint where it
was, and the next run delivers the same rows again, identical and under the same keys.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from reporting.checkpoints.stores import CheckpointStore, Point
from reporting.exports.sinks import Limits, Sink, StreamSink
from reporting.exports.sources import Source
from reporting.feeds.lines import Line


@dataclass
class Progress:
    """How far a run has got.

    Attributes:
        rows: rows that the sink has taken.
        bytes: their bytes, line breaks included.
        point: the checkpoint that was written last, None when it did not move.
        uris: what was made, objects before their manifests.
    """

    rows: int = 0
    bytes: int = 0
    point: Point | None = None
    uris: list[str] = field(default_factory=list)

    def add(self, rows: int, size: int) -> None:
        """Count rows that the sink has taken, and their bytes."""
        self.rows += rows
        self.bytes += size


def deliver(
    source: Source,
    store: CheckpointStore,
    sink: Sink,
    progress: Progress,
    tell: Callable[[Progress], None],
    batch_rows: int | None = None,
) -> None:
    """Deliver the rows of ``source`` to ``sink``, and move the checkpoint of ``store`` after what is confirmed.

    Args:
        source: the rows after the checkpoint.
        store: where the checkpoint goes.
        sink: where the rows go; the caller aborts it in the end.
        progress: is brought up to date as the run goes on, so that a caller whose run fails can say what was kept.
        tell: is called with ``progress`` now and then, and after every batch that is confirmed.
        batch_rows: rows of one batch, at most, where each is confirmed; None for what the sink takes.

    Raises:
        reporting.exports.sinks.SinkError: the source or the sink refused; what is confirmed and in the checkpoint by
            then stays.
        reporting.checkpoints.stores.CheckpointError: the checkpoint cannot be written.
    """
    if sink.confirms_each is False:
        _deliver_stream(source, store, sink, progress, tell)
        return
    limits = Limits(min(batch_rows or sink.limits.rows, sink.limits.rows), sink.limits.bytes)
    for part in source.parts(limits):
        last: Line | None = None
        for batch in limits.batches(part):
            sink.write(batch)
            last = _newest(batch, last)
            progress.add(len(batch), sum([len(line.json) + 1 for line in batch]))
            tell(progress)
        _reach(source, store, progress, last)


def _deliver_stream(
    source: Source, store: CheckpointStore, sink: StreamSink, progress: Progress, tell: Callable[[Progress], None]
) -> None:
    with source.stream() as stream:
        for block in stream.blocks():
            sink.take(block.data)
            progress.add(block.rows, len(block.data))
            tell(progress)
        last = stream.last()
        figures = stream.figures() if sink.has_receipt else None
    progress.uris = sink.commit(figures)
    _reach(source, store, progress, last)


def _reach(source: Source, store: CheckpointStore, progress: Progress, last: Line | None) -> None:
    """Write the checkpoint after ``last``; None for no row, which leaves it where it is."""
    if last is not None:
        point = source.checkpoint(last, progress.rows)
        store.write(point)
        progress.point = point


def _newest(batch: list[Line], before: Line | None) -> Line:
    """The line with the greatest position; of lines without one, the last."""
    newest = max(reversed(batch), key=lambda line: line.position)
    return newest if before is None or newest.position >= before.position else before
