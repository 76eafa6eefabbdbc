"""Which assignments of pricing experiments an operator wants to see: the filters of the onboarding page and its CSV."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connection
from django.db.models import F, QuerySet, TextField
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThanOrEqual, TupleLessThan, TupleLessThanOrEqual
from psycopg import sql

from reporting.feeds import Feed, cursors
from reporting.feeds.shapes import Row
from reporting.feeds.sql import time_text
from reporting.models import PricingExperimentSegment
from reporting.recording import segments

#: How many of the newest assignments a filtered count looks at.
COUNTED_ROWS = 10_000
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DAYS = [
    MinValueValidator(date(1970, 1, 1), "Must lie between 1970-01-01 and 2199-12-31."),
    MaxValueValidator(date(2199, 12, 31), "Must lie between 1970-01-01 and 2199-12-31."),
]


def _text(column: str, label: str) -> forms.CharField:
    field = PricingExperimentSegment._meta.get_field(column)
    longest = field.max_length if isinstance(field, TextField) else None
    too_long = {"max_length": f"Must be a text of at most {longest} characters."}
    return forms.CharField(required=False, label=label, max_length=longest, strip=False, error_messages=too_long)


def _day(label: str) -> forms.DateField:
    return forms.DateField(
        required=False,
        label=label,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        validators=_DAYS,
        error_messages={"invalid": "Must be a day such as 2026-01-22."},
    )


class SegmentFilter(forms.Form):
    """The filters as they stand in a query; each of them is exact, and an empty one lets everything through."""

    slug = _text("slug", "Experiment")
    variant = _text("variant_key", "Variant")
    status = _text("status", "Status")
    strategy = _text("assignment_strategy", "Assignment strategy")
    order = _text("order_number", "Order number or id")
    since = _day("From (UTC)")
    until = _day("To (UTC)")

    def clean(self) -> dict[str, Any]:
        """Refuse days in the wrong order."""
        given: dict[str, Any] = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if since and until and since > until:
            self.add_error("until", "Must not lie before the first day.")
        return given

    def assignments(self) -> "Assignments":
        """What a valid form asks for."""
        given = self.cleaned_data
        order = given["order"]
        is_id = _UUID.fullmatch(order) is not None
        texts = {
            "order_number": "" if is_id else order,
            "slug": given["slug"],
            "variant_key": given["variant"],
            "assignment_strategy": given["strategy"],
            "status": given["status"],
        }
        return Assignments(
            equal={name: text for name, text in texts.items() if text},
            order_id=UUID(order) if is_id else None,
            since=_start_of(given["since"]),
            until=_start_of(given["until"] and given["until"] + timedelta(days=1)),
        )

    def given(self) -> dict[str, str]:
        """The filters that are set, as a query spells them."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}


@dataclass(frozen=True)
class Assignments:
    """Assignments by filters, newest first, as a :class:`reporting.feeds.listings.Listing`; a mark is a REST cursor.

    Attributes:
        equal: the values that columns must have; of its columns, the one that comes first here gives the index.
        order_id: the one order, None for all.
        since: the first moment.
        until: the moment behind the last.
    """

    equal: dict[str, str]
    order_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    feed: ClassVar[Feed] = segments.FEED
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
        """The assignments behind the cursor ``before``.

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
            bounds.append(_behind(columns, values, cursors.parse(before)))
        elif walked and self.until is None:
            bounds.append(TupleLessThanOrEqual(Tuple(*map(F, columns)), values))
        return bounds


def _behind(columns: tuple[str, ...], values: tuple[Any, ...], cursor: cursors.Cursor) -> Any:
    place = {**dict(zip(columns, values, strict=True)), "recorded_at": cursor.at}
    if cursor.tie is not None:
        place["event_id"] = cursor.tie
    return TupleLessThan(Tuple(*map(F, place)), (*place.values(),))


def _start_of(day: date | None) -> datetime | None:
    return datetime.combine(day, time.min, UTC) if day else None
