"""Rows of a feed as JSON lines: a slice between two positions, written by PostgreSQL and streamed by COPY.

The rows of a slice come in the order of the REST list, oldest first and ties by key, so that an export by position and
one over HTTP give the same file; or in the order of their positions, as the objects of a window have them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

import orjson
from django.db import connection
from psycopg import sql

from reporting.feeds import Feed
from reporting.feeds.from_wire import warehouse_row
from reporting.feeds.shapes import Row, model_of
from reporting.feeds.sql import row_json, time_text


class Line(NamedTuple):
    """One row, ready to be delivered.

    A named tuple, since an export makes one for every row, and it costs a third of what a frozen dataclass does.

    Attributes:
        position: its position; 0 where it is not known, as over HTTP.
        time: its time column, ISO 8601 in UTC with six decimals and a ``Z``.
        key: its key, a UUID in text form.
        json: the row in the shape of the export, as one JSON object without a line break.
    """

    position: int
    time: str
    key: str
    json: bytes


def warehouse_line(feed: Feed, row: Row) -> Line:
    """A row of ``feed`` in warehouse shape as a line, without its position."""
    return Line(0, row[feed.time_column], row[feed.key_column], orjson.dumps(row))


def in_warehouse_shape(feed: Feed, line: Line) -> Line:
    """A line in wire shape in the other one.

    Raises:
        reporting.feeds.from_wire.UnmappableError: it is not a row of the feed.
    """
    return line._replace(json=orjson.dumps(warehouse_row(feed, orjson.loads(line.json), "row")))


def ndjson(lines: Iterable[Line]) -> bytes:
    return b"".join([part for line in lines for part in (line.json, b"\n")])


@dataclass(frozen=True)
class RowRange:
    """Rows between two positions.

    Attributes:
        feed: the feed.
        after: the position before the first row.
        until: the last position; no row at or before it may still appear (see :func:`reporting.feeds.fence.fence`).
        since: a time before which rows are left out, None for no such time.
        provider_id: the one provider to keep to, None for all; for follow-ups alone.
    """

    feed: Feed
    after: int
    until: int
    since: datetime | None = None
    provider_id: str | None = None

    def up_to_time(self, moment: datetime) -> "RowRange":
        """The first part of the slice, which ends before the first row that is younger than ``moment``.

        It is a part without gaps: what lies after it is left to a later run even where it is older.
        """
        younger = sql.SQL("{} > {}").format(sql.Identifier(self.feed.time_column), sql.Literal(moment))
        first = _one(self._select(sql.SQL("min(position)"), younger))
        return self if first is None else replace(self, until=first - 1)

    def first(self, rows: int) -> "RowRange":
        """The first part of the slice, of at most ``rows`` rows."""
        position = sql.SQL("{} ORDER BY position OFFSET {} LIMIT 1").format(
            self._select(sql.SQL("position")), sql.Literal(rows - 1)
        )
        last = _one(position)
        return self if last is None else replace(self, until=last)

    def parts(self, rows: int) -> Iterator["RowRange"]:
        """The slice in parts of at most ``rows`` rows; the last part may be empty."""
        rest = self
        while (part := rest.first(rows)).until < rest.until:
            yield part
            rest = replace(rest, after=part.until)
        yield rest

    def count(self) -> int:
        return _one(self._select(sql.SQL("count(*)"))) or 0

    def size(self, shape: str) -> "Size":
        """How many rows and bytes the slice holds, and its first and last key."""
        json = sql.SQL("{}::text").format(row_json(self.feed, shape))
        time, key = sql.Identifier(self.feed.time_column), sql.Identifier(self.feed.key_column)
        figures = sql.SQL(
            "count(*), coalesce(sum(octet_length({json}) + 1), 0)::bigint, max(position),"
            " (array_agg({key} ORDER BY {time}, {key}))[1]::text,"
            " (array_agg({key} ORDER BY {time} DESC, {key} DESC))[1]::text"
        ).format(json=json, key=key, time=time)
        with connection.cursor() as cursor:
            cursor.execute(self._select(figures))
            return Size(*cursor.fetchone())

    def lines(self, shape: str, *, by_position: bool = False) -> Iterator[Line]:
        """Stream the rows of the slice.

        The database session is taken until the last line was read.

        Args:
            shape: ``wire`` or ``warehouse``.
            by_position: whether they come in the order of their positions, rather than in that of their time and key.
        """
        columns = sql.SQL("position, {}, {}::text, {}").format(
            time_text(self.feed), sql.Identifier(self.feed.key_column), row_json(self.feed, shape)
        )
        order = ("position",) if by_position else (self.feed.time_column, self.feed.key_column)
        query = sql.SQL("COPY ({} ORDER BY {}) TO STDOUT").format(
            self._select(columns), sql.SQL(", ").join(map(sql.Identifier, order))
        )
        connection.ensure_connection()
        with connection.wrap_database_errors, connection.connection.cursor() as cursor, cursor.copy(query) as copy:
            for data in copy:
                position, time, key, json = bytes(data).split(b"\t", 3)
                # COPY's text format doubles backslashes. JSON holds no other character that the format escapes.
                yield Line(int(position), time.decode(), key.decode(), json[:-1].replace(b"\\\\", b"\\"))

    def _select(self, columns: sql.Composable, *conditions: sql.Composable) -> sql.Composed:
        bounds = [
            sql.SQL("position > {}").format(sql.Literal(self.after)),
            sql.SQL("position <= {}").format(sql.Literal(self.until)),
            *conditions,
        ]
        if self.since is not None:
            time = sql.Identifier(self.feed.time_column)
            bounds.append(sql.SQL("{} >= {}").format(time, sql.Literal(self.since)))
        if self.provider_id is not None:
            bounds.append(sql.SQL("provider_id = {}").format(sql.Literal(self.provider_id)))
        table = sql.Identifier(model_of(self.feed)._meta.db_table)
        return sql.SQL("SELECT {} FROM {} WHERE {}").format(columns, table, sql.SQL(" AND ").join(bounds))


@dataclass(frozen=True)
class Size:
    """What a slice holds.

    Attributes:
        rows: how many rows.
        bytes: how many bytes they are as lines.
        last_position: the position of the last row, None in an empty slice.
        first_key: the key of the first row.
        last_key: the key of the last row.
    """

    rows: int
    bytes: int
    last_position: int | None
    first_key: str | None
    last_key: str | None


def position_before(feed: Feed, moment: datetime) -> int:
    """The position before the first row that is as old as ``moment`` or younger; resumes there, inclusive."""
    table, time = sql.Identifier(model_of(feed)._meta.db_table), sql.Identifier(feed.time_column)
    query = sql.SQL("SELECT min(position) FROM {} WHERE {} >= {}").format(table, time, sql.Literal(moment))
    first = _one(query)
    return 0 if first is None else first - 1


def _one(query: sql.Composable) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return None if row is None else row[0]
