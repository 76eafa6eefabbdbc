"""Delivery of lines to sinks, in batches that fit."""

from collections.abc import Iterable, Iterator

from reporting.exports.sinks import Limits, Sink
from reporting.feeds.lines import Line


def batches(lines: Iterable[Line], limits: Limits) -> Iterator[list[Line]]:
    """Cut ``lines`` into batches within ``limits``; a line that is larger than a batch has one of its own."""
    batch: list[Line] = []
    size = 0
    for line in lines:
        length = len(line.json) + 1
        if batch and (len(batch) >= limits.rows or size + length > limits.bytes):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += length
    if batch:
        yield batch


def deliver(lines: Iterable[Line], sink: Sink, max_rows: int | None = None) -> Iterator[list[Line]]:
    """Write ``lines`` to ``sink`` and give each batch after the sink has taken it.

    Args:
        lines: the rows, in order.
        sink: where they go; it is neither committed nor aborted here.
        max_rows: rows in one batch, at most; None for what the sink takes.

    Raises:
        reporting.exports.sinks.SinkError: a batch was not taken; the ones given before were.
    """
    limits = sink.limits
    if max_rows is not None:
        limits = Limits(min(max_rows, limits.rows), limits.bytes)
    for batch in batches(lines, limits):
        sink.write(batch)
        yield batch
