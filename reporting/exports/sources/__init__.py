"""Where incremental exports take rows from: one small protocol, one module per kind of source."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reporting.checkpoints.content import Point
from reporting.exports.sinks import Limits
from reporting.feeds import Feed
from reporting.feeds.lines import Line, Size


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


class Source(Protocol):
    """The rows that one run has to take, oldest first."""

    def parts(self, limits: Limits | None) -> Iterator[Iterable[Line]]:
        """The rows, in parts after each of which a checkpoint may be set.

        Args:
            limits: what a sink takes at once that confirms each batch, so that the checkpoint can follow it; None where
                the rows are confirmed together, which makes them one part.
        """

    def checkpoint(self, last: Line, rows: int) -> Point:
        """The checkpoint after a part.

        Args:
            last: its row with the greatest position; where rows have none, the last.
            rows: how many rows the run has delivered.
        """

    def size(self) -> Size:
        """How many rows and bytes there are, and the first and the last key."""
