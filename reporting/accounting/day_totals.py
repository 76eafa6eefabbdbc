"""How many rows of each name a feed had on each of the last UTC days, without counting the same rows twice.

The ledger's fold adds rows to the totals as it passes them, and retention takes off what it prunes; both hold the lock
on the feed's :class:`reporting.models.RowTotal`. A reader adds the rows after the position that the totals reach, in
the same statement, and so in one snapshot.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from psycopg import sql

from reporting.feeds import FEEDS, Feed
from reporting.feeds.checksums import day_sql
from reporting.feeds.shapes import model_of
from reporting.models import DayTotal, RowTotal
from smplat.lib.times import midnight

#: The column of each feed that names a row; the days of other feeds are not counted.
_NAMES = {"quick_order": "event_name", "onboarding_segments": "slug"}
_TOTALS = sql.Identifier(DayTotal._meta.db_table)
_ROW_TOTALS = sql.Identifier(RowTotal._meta.db_table)
_BOOK = sql.SQL(
    """
    INSERT INTO {totals} AS known (feed, name, day, rows)
    SELECT {feed}, {name}, {day}, {sign} * count(*) FROM {table} WHERE {those} GROUP BY 2, 3 ORDER BY 2, 3
    ON CONFLICT (feed, name, day) DO UPDATE SET rows = known.rows + excluded.rows
    """
)
# Only the days that were just taken from: whoever sends telemetry may have invented any number of others.
_CLEAR = sql.SQL(
    """
    DELETE FROM {totals} AS known
    USING (SELECT DISTINCT {name} AS name, {day} AS day FROM {table} WHERE {those}) AS taken
    WHERE feed = {feed} AND known.name = taken.name AND known.day = taken.day AND rows = 0
    """
)
_BETWEEN = sql.SQL("position > %s AND position <= %s")
_AMONG = sql.SQL("position = ANY(%s) AND position <= %s")
_COUNT = sql.SQL(
    """
    SELECT {name} AS name, {day} AS day, count(*) AS rows FROM {table}
    WHERE {name} = ANY(%(names)s) AND {time} >= %(start)s AND {time} < %(end)s{unfolded} GROUP BY 1, 2
    """
)
# The known number lets PostgreSQL see that few rows lie after it. A fold may move on meanwhile, and only forwards.
_UNFOLDED = sql.SQL(
    " AND position > %(folded)s AND position > (SELECT days_position FROM {row_totals} WHERE feed = {feed})"
)
_ADD_UP = sql.SQL(
    """
    SELECT name, day, sum(rows) FROM (
        SELECT name, day, rows FROM {totals}
        WHERE feed = {feed} AND name = ANY(%(names)s) AND day >= %(first)s AND day <= %(last)s
        UNION ALL {count}
    ) AS parts GROUP BY 1, 2
    """
)


def add(feed: Feed, after: int, until: int) -> None:
    """Add the rows after one position, up to another, to the days of their time column."""
    _run(_BOOK, feed, _BETWEEN, [after, until], 1)


def take_off(feed: Feed, positions: list[int], folded: int) -> None:
    """Take those of the rows at ``positions`` that lie up to position ``folded`` off their days again."""
    for statement in (_BOOK, _CLEAR):
        _run(statement, feed, _AMONG, [positions, folded], -1)


def _run(statement: sql.SQL, feed: Feed, those: sql.SQL, parameters: list[Any], sign: int) -> None:
    if feed.key not in _NAMES:
        return
    composed = statement.format(**_names(feed), totals=_TOTALS, those=those, sign=sql.Literal(sign))
    with connection.cursor() as cursor:
        cursor.execute(composed, parameters)


def daily_counts(feed_key: str, names: Collection[str], days: int, now: datetime) -> dict[str, dict[date, int]]:
    """By name the rows of each of the last UTC days, today's last.

    Until the first fold has reached that of the ledger, all rows of the days are counted, from an index alone.

    Args:
        feed_key: a feed whose rows have names.
        names: the names to count.
        days: how many days.
        now: a moment of the last day.
    """
    if not names:
        return {}
    feed, today = FEEDS[feed_key], now.astimezone(UTC).date()
    shown = [today - timedelta(days=back) for back in reversed(range(days))]
    counts: dict[str, dict[date, int]] = {name: dict.fromkeys(shown, 0) for name in names}
    caught_up = RowTotal.objects.filter(feed=feed.key, days_position__gte=F("position"))
    folded = caught_up.values_list("days_position", flat=True).first()
    values = {
        "names": list(names),
        "folded": folded,
        "first": shown[0],
        "last": today,
        "start": midnight(shown[0]),
        "end": midnight(today + timedelta(days=1)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_reading(feed, folded is not None), values)
        for name, day, rows in cursor.fetchall():
            counts[name][day] = int(rows)
    return counts


def _reading(feed: Feed, is_folded: bool) -> sql.Composed:
    parts = {**_names(feed), "time": sql.Identifier(feed.time_column)}
    if not is_folded:
        return _COUNT.format(**parts, unfolded=sql.SQL(""))
    unfolded = _UNFOLDED.format(**parts, row_totals=_ROW_TOTALS)
    return _ADD_UP.format(**parts, totals=_TOTALS, count=_COUNT.format(**parts, unfolded=unfolded))


def _names(feed: Feed) -> dict[str, sql.Composable]:
    return {
        "feed": sql.Literal(feed.key),
        "table": sql.Identifier(model_of(feed)._meta.db_table),
        "name": sql.Identifier(_NAMES[feed.key]),
        "day": sql.SQL(day_sql("postgres", feed.time_column)),
    }
