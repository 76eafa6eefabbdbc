"""Where incremental exports deliver rows: one small protocol, one module per kind of sink."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from reporting.feeds.lines import Line


class SinkError(RuntimeError):
    """A sink did not confirm what it was given; the message is one sentence that says why, without secrets."""


@dataclass(frozen=True)
class Limits:
    """How much a sink takes at once.

    Attributes:
        rows: rows in one batch, at most.
        bytes: bytes of JSON in one batch, at most, unless a single row is larger.
    """

    rows: int
    bytes: int

    def batches(self, lines: Iterable[Line]) -> Iterator[list[Line]]:
        """Cut ``lines`` into batches that fit; a line that is larger than a batch has one of its own."""
        batch: list[Line] = []
        size = 0
        for line in lines:
            length = len(line.json) + 1
            if batch and (len(batch) >= self.rows or size + length > self.bytes):
                yield batch
                batch, size = [], 0
            batch.append(line)
            size += length
        if batch:
            yield batch


class Sink(Protocol):
    """Takes batches of rows in order.

    A run opens a sink, writes batches, and commits or aborts. The checkpoint moves after a batch where
    ``confirms_each`` is true, and otherwise after :meth:`commit` alone.
    """

    limits: Limits
    #: Whether a batch is safe with the receiver as soon as :meth:`write` returns.
    confirms_each: bool

    def write(self, lines: list[Line]) -> None:
        """Deliver one batch, which is not empty.

        Raises:
            SinkError: the batch was not confirmed.
        """

    def commit(self) -> list[str]:
        """Put everything written in its final place; return the URIs of what was made, objects before manifests.

        A run without rows commits too, and what it makes, if anything, is the sink's to say.

        Raises:
            SinkError: it could not be put there; nothing half stands under a final name.
        """

    def abort(self) -> None:
        """Remove what was written and not committed, and let go of files and connections; may be called twice."""
