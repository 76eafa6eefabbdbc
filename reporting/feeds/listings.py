"""Rows of a feed from the newest to the oldest, as the operator pages list them and their CSV files hold them.

A mark names a row's place in a listing. Reading goes on after a mark by an index, however deep it lies, and rows are
never changed; so a walk from mark to mark meets every row that was there when it began once, and keeps no transaction
open on its way. Rows that arrive meanwhile lie before its beginning.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from django.db.models import QuerySet
from psycopg import sql

from reporting.feeds import Feed
from reporting.feeds.shapes import Row, model_of


class Listing(Protocol):
    """A way through rows of a feed, newest first.

    Attributes:
        feed: the feed.
        mark_columns: the columns that a mark is made of.
        mark_sql: SQL for the mark of a row, from those columns; a string without commas, quotes and line breaks.
    """

    @property
    def feed(self) -> Feed: ...

    @property
    def mark_columns(self) -> tuple[str, ...]: ...

    @property
    def mark_sql(self) -> sql.Composable: ...

    def mark_of(self, row: Row) -> str:
        """The mark of a row, which holds the mark's columns at least."""

    def rows(self, before: str | None) -> QuerySet[Any]:
        """The rows after the mark ``before``, in order; all of them for None."""


@dataclass(frozen=True)
class Arrivals:
    """All rows of a feed in the order of their arrival; a mark is a position.

    A row that was under way when a walk began, and is committed before the walk passes its position, is met as well.
    """

    feed: Feed
    mark_columns: ClassVar[tuple[str, ...]] = ("position",)
    mark_sql: ClassVar[sql.Composable] = sql.SQL("position")

    def mark_of(self, row: Row) -> str:
        return str(row["position"])

    def rows(self, before: str | None) -> QuerySet[Any]:
        """The rows with positions smaller than ``before``."""
        rows = model_of(self.feed).objects.order_by("-position")
        return rows if before is None else rows.filter(position__lt=int(before))


@dataclass(frozen=True)
class Batch:
    """The rows that one CSV file of a page is about.

    Attributes:
        size: how many rows a batch holds at most.
        before: the mark after which it begins, None for the newest rows.
        rows: how many rows it holds.
        next_before: the mark of its last row, None when there is nothing after it.
    """

    size: int
    before: str | None
    rows: int
    next_before: str | None

    @classmethod
    def of(cls, marks: list[str], size: int, before: str | None) -> "Batch":
        """The batch whose rows have the first ``size`` of ``marks``; one mark more tells of a next batch."""
        return cls(size, before, min(len(marks), size), marks[size - 1] if len(marks) > size else None)


def marks(listing: Listing, before: str | None, count: int) -> list[str]:
    """The marks of the first ``count`` rows after ``before``, by one query."""
    return [listing.mark_of(row) for row in listing.rows(before).values(*listing.mark_columns)[:count]]
