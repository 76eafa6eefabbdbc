"""The REST cursor grammar: where a walk over the rows of a feed goes on.

A cursor is ``<timestamp>``, or ``<timestamp>~<uuid>`` where a page ended inside a group of rows that share the
timestamp. Rows are walked by (time, key), so a position in the walk is a row value, and the index on those two columns
finds it however deep the page lies.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from django.db.models import F, Q, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

from reporting.feeds import Feed
from reporting.feeds.fence import settled_before
from reporting.feeds.shapes import Row, model_of
from reporting.feeds.wire_json import wire_json
from smplat.lib.times import is_accepted, iso

_CURSOR = re.compile(
    r"(?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2}))"
    r"(~(?P<tie>[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}))?"
)


class CursorError(ValueError):
    """A text that is no cursor; the message says what is allowed."""


@dataclass(frozen=True)
class Cursor:
    """A position in a walk.

    Attributes:
        at: the time of the last row that was seen.
        tie: the key of that row, where others share its time; None resumes after all rows of that time.
    """

    at: datetime
    tie: UUID | None = None

    def __str__(self) -> str:
        return iso(self.at) if self.tie is None else f"{iso(self.at)}~{self.tie}"


@dataclass(frozen=True)
class Page:
    """One page of a walk.

    Attributes:
        json: its rows in wire shape, each a JSON object.
        next_cursor: the cursor of the next page, None on the last.
    """

    json: list[str]
    next_cursor: str | None

    @property
    def json_list(self) -> orjson.Fragment:
        """The rows as a list that goes into an answer as it is."""
        return orjson.Fragment(f"[{','.join(self.json)}]")

    @cached_property
    def rows(self) -> list[Row]:
        """The rows, read."""
        return [orjson.loads(row) for row in self.json]


def parse(text: str) -> Cursor:
    """Read a cursor.

    Raises:
        CursorError: ``text`` is not a timestamp with an offset between 1970 and 2200, bare or with a tie-break.
    """
    # A plus sign that a client left unescaped in a query arrives as a space.
    match = _CURSOR.fullmatch(text.replace(" ", "+"))
    if match is None:
        raise CursorError("Must be a time such as 2026-01-22T04:00:00.123456Z, or the nextCursor of the page before.")
    try:
        at = datetime.fromisoformat(match["at"])
    except ValueError as error:
        raise CursorError(f"Holds a time that does not exist: {error}.") from error
    if not is_accepted(at):
        raise CursorError("Must lie between 1970 and 2200.")
    # PostgreSQL takes no offset of 16 hours and more.
    return Cursor(at.astimezone(UTC), UUID(match["tie"]) if match["tie"] else None)


@dataclass(frozen=True)
class Walk:
    """A way through the rows of a feed.

    Attributes:
        feed: the feed.
        is_ascending: whether the walk goes from the oldest row to the newest, or the other way.
        within: a column and the one value of it that the walk keeps to; an index on that column, the time and the key
            has to be there. None walks all rows.
        where: what else the rows have to meet; an index helps with it or does not.
    """

    feed: Feed
    is_ascending: bool = False
    within: tuple[str, str] | None = None
    where: Q = Q()

    def page(self, limit: int, cursor: Cursor | None = None) -> Page:
        """At most ``limit`` rows after ``cursor``, which is None for the first page, by one query."""
        # One row more than the page shows tells whether there is a next page, and whether it starts within a tie.
        found = wire_json(self.feed, self.rows(cursor)[: limit + 1])
        return Page(found[:limit], _next_cursor(self.feed, *found[limit - 1 :]) if len(found) > limit else None)

    def rows(self, cursor: Cursor | None) -> QuerySet[Any]:
        """The rows after ``cursor``, in the order of the walk.

        The column of ``within`` stands in the order and in ranges, never in an equation. From an equation the planner
        learns that it may as well walk all rows by time and drop those of other values, which for a value that has
        been quiet for long reads the whole table.
        """
        columns = (self.feed.time_column, self.feed.key_column)
        order = columns if self.within is None else (self.within[0], *columns)
        rows = model_of(self.feed).objects.filter(self.where, *self._conditions(cursor))
        return rows.order_by(*(name if self.is_ascending else f"-{name}" for name in order))

    def _conditions(self, cursor: Cursor | None) -> Iterator[Any]:
        if self.is_ascending:
            # A reader who comes back to where this walk ended must not have passed rows that were still to commit.
            yield Q(**{f"{self.feed.time_column}__lt": settled_before(model_of(self.feed))})
        if self.within is not None:
            name, value = self.within
            ends = ("lte", "gte") if cursor is None else ("lte" if self.is_ascending else "gte",)
            yield Q(**{f"{name}__{end}": value for end in ends})
        if cursor is not None:
            # A row value is one condition on the index; two joined by OR would read and drop a whole tie group.
            position = dict([*filter(None, [self.within]), (self.feed.time_column, cursor.at)])
            if cursor.tie is not None:
                position[self.feed.key_column] = cursor.tie
            compare = TupleGreaterThan if self.is_ascending else TupleLessThan
            yield compare(Tuple(*map(F, position)), tuple(position.values()))


def _next_cursor(feed: Feed, last: str, beyond: str) -> str:
    """The cursor after the row ``last``, which the row ``beyond`` follows."""
    places = {column.name: column.wire[0] for column in feed.columns}
    row, at = orjson.loads(last), places[feed.time_column]
    return f"{row[at]}~{row[places[feed.key_column]]}" if row[at] == orjson.loads(beyond)[at] else str(row[at])
