"""Assignments of pricing experiments by filters: rows, and counts of the newest."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThanOrEqual, TupleLessThan, TupleLessThanOrEqual
from psycopg import sql

from reporting.feeds import FEEDS, Feed, cursors
from reporting.feeds.shapes import Row
from reporting.feeds.sql import time_text
from reporting.models import PricingExperimentSegment

#: How many of the newest assignments a filtered count looks at.
COUNTED_ROWS = 10_000


@dataclass(frozen=True)
class Assignments:
    """Assignments by filters, newest first, as a :class:`reporting.feeds.listings.Listing`; a mark is a REST cursor.

    Attributes:
        equal: the values that columns must have; of its columns, the one that comes first here gives the index.
        order_id: the one order, None for all.
        since: the first moment.
        until: the moment after the last.
    """

    equal: dict[str, str]
    order_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    feed: ClassVar[Feed] = FEEDS["onboarding_segments"]
    mark_columns: ClassVar[tuple[str, ...]] = ("recorded_at", "event_id")

    @cached_property
    def mark_sql(self) -> sql.Composable:
        """SQL for a cursor that holds the key in any case."""
        return sql.SQL("{} || '~' || event_id").format(time_text(self.feed))

    @property
    def is_of_experiments(self) -> bool:
        """Whether nothing is filtered but an experiment, or one of its variants, so that running totals tell all."""
        is_whole = not (self.order_id or self.since or self.until)
        return is_whole and tuple(self.equal) in {(), ("slug",), ("slug", "variant_key")}

    def slug_before(self) -> str | None:
        """The slug before the one that is filtered, in the order of slugs; None for the first."""
        slugs = PricingExperimentSegment.objects.order_by("-slug").values_list("slug", flat=True)
        return slugs.filter(slug__lt=self.equal["slug"]).first()

    def mark_of(self, row: Row) -> str:
        """The cursor of a row, with its key."""
        return str(cursors.Cursor(row["recorded_at"], row["event_id"]))

    def rows(self, before: str | None) -> QuerySet[Any]:
        """The assignments after the cursor ``before``.

        The columns of an index stand in the order and in a range of row values, never in an equation. From an equation
        the planner learns that it may as well walk all rows by time and drop the others, which for a value that has
        been quiet for long reads the whole table.
        """
        walked = self._walked()
        others = {name: value for name, value in self.equal.items() if name not in walked}
        rows = PricingExperimentSegment.objects.filter(*self._range(walked, before), **others)
        if self.order_id is not None:
            rows = rows.filter(order_id=self.order_id)
        return rows.order_by(*(f"-{name}" for name in (*walked, *self.mark_columns)))

    def counts(self) -> list[Row]:
        """The variants of the newest ``COUNTED_ROWS`` assignments, by one query: slug, variant, assignments, orders."""
        rows = self.rows(None).values("slug", "variant_key", "order_id")[:COUNTED_ROWS]
        newest, parameters = rows.query.sql_with_params()
        query = sql.SQL(
            "SELECT slug, variant_key, count(*), count(DISTINCT order_id) FROM ({}) AS newest"
            " GROUP BY slug, variant_key ORDER BY count(*) DESC, slug, variant_key LIMIT 100"
        ).format(sql.SQL(newest))
        with connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return [
                dict(zip(("slug", "variant", "assignments", "orders"), row, strict=True)) for row in cursor.fetchall()
            ]

    def _walked(self) -> dict[str, str]:
        """The columns before the time in the index that the rows are read by, with their values."""
        if self.order_id is not None or not self.equal:
            return {}
        first = next(iter(self.equal))
        names = ("slug", "variant_key") if first == "slug" else (first,)
        return {name: self.equal[name] for name in names if name in self.equal}

    def _range(self, walked: dict[str, str], before: str | None) -> list[Any]:
        columns, values = (*walked,), (*walked.values(),)
        timed = Tuple(*map(F, (*columns, "recorded_at")))
        bounds: list[Any] = []
        if self.since is not None:
            bounds.append(TupleGreaterThanOrEqual(timed, (*values, self.since)))
        elif walked:
            bounds.append(TupleGreaterThanOrEqual(Tuple(*map(F, columns)), values))
        if self.until is not None:
            bounds.append(TupleLessThan(timed, (*values, self.until)))
        if before is not None:
            bounds.append(_after(columns, values, cursors.parse(before)))
        elif walked and self.until is None:
            bounds.append(TupleLessThanOrEqual(Tuple(*map(F, columns)), values))
        return bounds


def _after(columns: tuple[str, ...], values: tuple[Any, ...], cursor: cursors.Cursor) -> Any:
    place = {**dict(zip(columns, values, strict=True)), "recorded_at": cursor.at}
    if cursor.tie is not None:
        place["event_id"] = cursor.tie
    return TupleLessThan(Tuple(*map(F, place)), (*place.values(),))
