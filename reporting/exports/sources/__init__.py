"""Where incremental exports take rows from: one small protocol, one module per kind of source."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reporting.checkpoints.content import Point
from reporting.exports.sinks import Limits
from reporting.feeds import Feed
from reporting.feeds.lines import Block, Figures, Line, Size


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
    """

    feed: Feed
    shape: str = "wire"
    cursor: datetime | None = None
    until: datetime | None = None
    provider_id: str | None = None
    max_rows: int | None = None


class Stream(Protocol):
    """The rows of a run as bytes, and what is to be known of just these rows once the bytes were read."""

    def blocks(self) -> Iterator[Block]:
        """The bytes, in the order of the rows."""

    def last(self) -> Line | None:
        """The row with the greatest position, or, where rows have none, the last; None where there is no row."""

    def figures(self) -> Figures:
        """What a receipt says of the rows."""


class Source(Protocol):
    """The rows that one run has to take, oldest first."""

    def parts(self, limits: Limits) -> Iterator[Iterable[Line]]:
        """The rows, in parts after each of which a checkpoint may be set.

        Args:
            limits: what a sink takes at once that confirms each batch, so that the checkpoint can follow it.
        """

    def stream(self) -> AbstractContextManager[Stream]:
        """The rows as one, for a sink that confirms them together."""

    def checkpoint(self, last: Line, rows: int) -> Point:
        """The checkpoint after a part.

        Args:
            last: its row with the greatest position; where rows have none, the last.
            rows: how many rows the run has delivered.
        """

    def size(self) -> Size:
        """How many rows and bytes there are, and the first and the last key."""
