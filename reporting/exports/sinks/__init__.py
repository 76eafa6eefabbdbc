"""Where incremental exports deliver rows: two small protocols, one module per kind of sink."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from reporting.feeds.lines import Figures, Line


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


class BatchSink(Protocol):
    """Takes rows in batches, each of which is safe with the receiver as soon as :meth:`write` returns.

    A run opens a sink, writes batches, and commits or aborts. The checkpoint moves after each batch.
    """

    limits: Limits
    confirms_each: Literal[True]

    def write(self, lines: list[Line]) -> None:
        """Deliver one batch, which is not empty.

        Raises:
            SinkError: the batch was not confirmed.
        """

    def abort(self) -> None:
        """Remove what was written and not committed, and let go of files and connections; may be called twice."""


class StreamSink(Protocol):
    """Takes the bytes of rows in order.

    A run opens a sink, has it take what there is, and commits or aborts. The checkpoint moves after :meth:`commit`.
    """

    confirms_each: Literal[False]
    #: Whether what it makes has a receipt, for which :meth:`commit` is told the figures.
    has_receipt: bool

    def take(self, data: bytes) -> None:
        """Take whole rows.

        Raises:
            SinkError: they cannot be written.
        """

    def commit(self, figures: Figures | None = None) -> list[str]:
        """Put everything taken in its final place; return the URIs of what was made, objects before manifests.

        A run without rows commits too, and what it makes, if anything, is the sink's to say.

        Args:
            figures: of the rows taken, where there is a receipt.

        Raises:
            SinkError: it could not be put there; nothing half stands under a final name.
        """

    def abort(self) -> None:
        """Remove what was taken and not committed, and let go of files and connections; may be called twice."""


Sink = BatchSink | StreamSink
