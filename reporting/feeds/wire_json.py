"""Rows in wire shape as JSON that PostgreSQL writes, for answers over HTTP.

Python makes nothing of a row, which took most of an answer's time
(docs/adr/0022-postgresql-writes-the-answers.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from psycopg import sql

from reporting.feeds import Feed
from reporting.feeds.shapes import model_of
from reporting.feeds.sql import row_json

#: Rows that one statement of a window reads. No transaction stays open while a slow reader takes those before.
_CHUNK_ROWS = 500


def wire_json(feed: Feed, rows: QuerySet[Any]) -> list[str]:
    """The rows of a queryset as JSON objects in the queryset's order, by one query; none where it can have no row."""
    columns = dict.fromkeys(field.source.partition("__")[0] for field in feed.wire)
    try:
        chosen, parameters = rows.values(*columns).query.sql_with_params()
    except EmptyResultSet:
        return []
    # A plain selection from a sorted subquery comes in the order of the subquery.
    return _texts(sql.SQL("SELECT {}::text FROM ({}) AS chosen").format(_json(feed), sql.SQL(chosen)), parameters)


@dataclass(frozen=True)
class Window:
    """The newest rows of a feed at one moment, in the order of their arrival.

    Attributes:
        feed: the feed.
        positions: where the rows are.
        facts: which rows they are, and how they are written.
    """

    feed: Feed
    positions: list[int]
    facts: str

    @classmethod
    def newest(cls, feed: Feed, count: int) -> "Window":
        """The window of the ``count`` newest rows, by one query; it has no positions where there are no rows."""
        newest = model_of(feed).objects.newest(count).values("position", feed.key_column)
        chosen, parameters = newest.query.sql_with_params()
        # Positions alone would not do: a database that was restored gives some of them again, to other rows.
        query = sql.SQL(
            "SELECT coalesce(array_agg(position ORDER BY position), '{{}}'),"
            " string_agg({}::text, ',' ORDER BY position) FROM ({}) AS chosen"
        ).format(sql.Identifier(feed.key_column), sql.SQL(chosen))
        with connection.cursor() as cursor:
            cursor.execute(query, parameters)
            positions, keys = cursor.fetchone()
        return cls(feed, positions, f"{_json(feed).as_string(None)} {keys}")

    def ndjson(self) -> Iterator[bytes]:
        """The rows as lines of JSON, each chunk of them by a query of its own."""
        table = sql.Identifier(model_of(self.feed)._meta.db_table)
        query = sql.SQL("SELECT {}::text || E'\\n' FROM {} WHERE position = ANY(%s) ORDER BY position")
        for start in range(0, len(self.positions), _CHUNK_ROWS):
            positions = self.positions[start : start + _CHUNK_ROWS]
            yield "".join(_texts(query.format(_json(self.feed), table), (positions,))).encode()


def _json(feed: Feed) -> sql.Composable:
    return row_json(feed, "wire")


def _texts(query: sql.Composable, parameters: tuple[Any, ...]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return [text for (text,) in cursor.fetchall()]
