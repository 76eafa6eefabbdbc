"""Rows of the days, counted and added up on both sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from django.db import connection
from psycopg import sql

from reporting.feeds import ColumnType, Feed
from reporting.feeds.checksums import content_sum_sql, day_sql, id_sum_of, json_sum_sql
from reporting.feeds.shapes import model_of
from reporting.models import Checkpoint, ExpiredDay, ExportRun
from reporting.warehouse.schema import HISTORY, type_of
from reporting.warehouse.targets import Target
from smplat.lib.times import iso, midnight

_RUNS_AT_ONCE = 100
_NO_TIME = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Days:
    """UTC days, by the time column of a feed.

    Attributes:
        since: the first.
        until: the last; None for no last one, since storefronts may be ahead of their time.
    """

    since: date
    until: date | None = None

    def __contains__(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day <= self.until)

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The first moment of the days, and the first one after them."""
        after = midnight(self.until + timedelta(days=1)) if self.until else _NO_TIME
        return midnight(self.since), after


@dataclass(frozen=True)
class Reach:
    """How far a feed has got, as positions.

    Attributes:
        exported: the checkpoint: the lake holds every row up to it.
        looked_at: the last row of the objects that the load has looked at: what is missing up to it does not come.
    """

    exported: int
    looked_at: int


@dataclass(frozen=True)
class Sums:
    """Rows of one day, in a form that two sides can be held against each other by.

    Attributes:
        rows: how many.
        id_sum: their idSum.
        content_sum: the sum of their scalar columns' contents.
        json_sum: the sum of their JSON columns; comparable with sums of the same engine alone.
    """

    rows: int = 0
    id_sum: int = 0
    content_sum: int = 0
    json_sum: int = 0

    def is_like(self, other: "Sums") -> bool:
        """Whether both hold the same rows, by all that two engines compute alike."""
        mine = (self.rows, self.id_sum, self.content_sum)
        return mine == (other.rows, other.id_sum, other.content_sum)

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.rows + other.rows,
            self.id_sum + other.id_sum,
            self.content_sum + other.content_sum,
            self.json_sum + other.json_sum,
        )


@dataclass(frozen=True)
class DeskDay:
    """The rows of one day in the desk's database.

    Attributes:
        rows: all of them.
        due: the sums of those that the warehouse has to hold: the load has looked at their object.
        exported: how many the lake holds.
        due_and_exported: how many the lake holds and the load has looked at; fewer than are due after a rewind.
    """

    rows: int = 0
    due: Sums = Sums()
    exported: int = 0
    due_and_exported: int = 0


def reach(target: Target, feed: Feed) -> Reach:
    """Find out how far a feed has got; the tables of the warehouse have to be there."""
    # The load's reach is read first. What it has looked at was exported before, so that it never lies ahead.
    looked_at = next((max(found) for found in _looked_at(target, feed) if found), 0)
    checkpoint = Checkpoint.objects.filter(pk=feed.key).first()
    return Reach(checkpoint.position if checkpoint else 0, looked_at)


def _looked_at(target: Target, feed: Feed) -> Iterator[list[int]]:
    """Positions of the runs whose objects the load has looked at, the newest runs first, in batches."""
    made = ExportRun.objects.of(feed.key).exclude(object_uri="").filter(checkpoint_after__isnull=False)
    runs = made.values_list("object_uri", "checkpoint_after__position")
    for start in count(0, _RUNS_AT_ONCE):
        ends = dict(runs[start : start + _RUNS_AT_ONCE])
        if not ends:
            return
        placeholders = ", ".join("?" * len(ends))
        query = f"SELECT object FROM {HISTORY} WHERE feed = ? AND object IN ({placeholders})"  # noqa: S608 - names of ours
        yield [ends[uri] for (uri,) in target.execute(query, [feed.key, *ends])]


_DESK_DAYS = sql.SQL(
    """
    SELECT {day}, count(*),
        count(*) FILTER (WHERE {due}), {id_sum} FILTER (WHERE {due}), {content_sum} FILTER (WHERE {due}),
        {json_sum} FILTER (WHERE {due}),
        count(*) FILTER (WHERE position <= %(exported)s),
        count(*) FILTER (WHERE position <= least(%(exported)s, %(looked_at)s))
    FROM {table} WHERE {time} >= %(since)s AND {time} < %(after)s GROUP BY 1
    """
)


def desk_days(feed: Feed, days: Days, reached: Reach) -> dict[date, DeskDay]:
    """The days of a feed in the desk's database."""
    since, after = days.bounds
    query = _DESK_DAYS.format(
        day=sql.SQL(day_sql("postgres", feed.time_column)),
        due=sql.SQL("position <= %(looked_at)s"),
        id_sum=sql.SQL(id_sum_of("postgres", feed.key_column)),
        content_sum=sql.SQL(content_sum_sql("postgres", feed)),
        json_sum=sql.SQL(json_sum_sql("postgres", feed)),
        table=sql.Identifier(model_of(feed)._meta.db_table),
        time=sql.Identifier(feed.time_column),
    )
    with connection.cursor() as cursor:
        cursor.execute(
            query, {"exported": reached.exported, "looked_at": reached.looked_at, "since": since, "after": after}
        )
        return {row[0]: DeskDay(row[1], _sums(*row[2:6]), *row[6:]) for row in cursor.fetchall()}


def warehouse_days(target: Target, feed: Feed, days: Days) -> dict[date, Sums]:
    """The days of a feed in the warehouse."""
    condition, parameters = within(target, feed, days)
    day, dialect = day_sql(target.dialect, feed.time_column), target.dialect
    query = (
        f"SELECT CAST({day} AS VARCHAR), COUNT(*), {id_sum_of(dialect, feed.key_column)}, "  # noqa: S608 - names of ours
        f"{content_sum_sql(dialect, feed)}, {json_sum_sql(dialect, feed)} "
        f"FROM {feed.table} WHERE {condition} GROUP BY 1"
    )
    return {date.fromisoformat(day): _sums(*figures) for day, *figures in target.execute(query, parameters)}


def expired(feed: Feed, days: Days) -> dict[date, Sums]:
    """What retention has pruned, by day; of JSON columns nothing is known any more."""
    booked = ExpiredDay.objects.filter(feed=feed.key, day__gte=days.since)
    return {row.day: Sums(row.rows, int(row.id_sum), int(row.content_sum)) for row in booked if row.day in days}


def within(target: Target, feed: Feed, days: Days) -> tuple[str, list[str]]:
    """The condition that the rows of the days meet in the warehouse, and its parameters."""
    type_name = next(type_of(target.dialect, column) for column in feed.columns if column.type is ColumnType.TIMESTAMP)
    condition = f"{feed.time_column} >= CAST(? AS {type_name}) AND {feed.time_column} < CAST(? AS {type_name})"
    return condition, [iso(moment) for moment in days.bounds]


def _sums(*figures: Any) -> Sums:
    return Sums(*(int(figure or 0) for figure in figures))
