"""Rows of a feed as JSON lines: a slice between two positions, written by PostgreSQL and streamed by COPY.

The rows of a slice come in the order of the REST list, oldest first and ties by key, so that an export by position and
one over HTTP give the same file; or in the order of their positions, as the objects of a window have them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, islice
from typing import Any, NamedTuple

import orjson
from django.db import connection
from psycopg import sql

from reporting.feeds import Feed
from reporting.feeds.checksums import id_number, id_sum_of
from reporting.feeds.copying import copied
from reporting.feeds.forms import form_of
from reporting.feeds.from_wire import warehouse_row
from reporting.feeds.shapes import Row, model_of
from reporting.feeds.sql import iso_text, row_json, time_text

_ENDS = (sql.SQL("min"), sql.SQL("max"))
_TEXT = sql.SQL("(FORMAT text)")
#: Of a feed whose rows cannot be written by a form.
_LINES_PER_BLOCK = 500


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


class Block(NamedTuple):
    """Whole rows, as they are written.

    Attributes:
        rows: how many rows.
        data: their bytes.
    """

    rows: int
    data: bytes


@dataclass(frozen=True)
class Figures:
    """What a receipt says of rows, beside their bytes.

    Attributes:
        rows: how many rows.
        positions: the least and the greatest position; 0 where they have none, as over HTTP.
        first_time: the time of the first row, empty where there is none.
        last_time: the time of the last row.
        id_sum: the ``idSum`` over their keys.
    """

    rows: int = 0
    positions: tuple[int, int] = (0, 0)
    first_time: str = ""
    last_time: str = ""
    id_sum: int = 0

    @classmethod
    def of(cls, lines: list[Line]) -> "Figures":
        """The figures of lines, of which there is one at least."""
        # Rows may come in the order of their time, which need not be that of their positions.
        positions = [line.position for line in lines]
        ends = min(positions), max(positions)
        return cls(len(lines), ends, lines[0].time, lines[-1].time, sum([id_number(line.key) for line in lines]))

    def __add__(self, later: "Figures") -> "Figures":
        """The figures of these rows and of those that follow."""
        if not self.rows or not later.rows:
            return self if self.rows else later
        ends = min(self.positions[0], later.positions[0]), max(self.positions[1], later.positions[1])
        return Figures(self.rows + later.rows, ends, self.first_time, later.last_time, self.id_sum + later.id_sum)


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
        before: a time from which on rows are left out, None for no such time.
        provider_id: the one provider to keep to, None for all; for follow-ups alone.
    """

    feed: Feed
    after: int
    until: int
    since: datetime | None = None
    before: datetime | None = None
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
        return Size(*(_row(self._select(figures)) or ()))

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
        order = ("position",) if by_position else self._order
        for data in chain.from_iterable(copied(self._copy([columns], order, _TEXT))):
            position, time, key, json = bytes(data).split(b"\t", 3)
            # COPY's text format doubles backslashes. JSON holds no other character that the format escapes.
            yield Line(int(position), time.decode(), key.decode(), json[:-1].replace(b"\\\\", b"\\"))

    def blocks(self, shape: str) -> Iterator["Block"]:
        """Stream the rows in order of time and key as whole lines, the same as those of :meth:`lines`.

        Args:
            shape: ``wire`` or ``warehouse``.
        """
        if (form := form_of(self.feed, shape)) is None:
            lines = self.lines(shape)
            while batch := list(islice(lines, _LINES_PER_BLOCK)):
                yield Block(len(batch), ndjson(batch))
            return
        for rows in self.copied(form.cells):
            yield Block(len(rows), form.fill(rows))

    def copied(self, cells: Iterable[sql.Composable], options: sql.SQL = _TEXT) -> Iterator[list[memoryview]]:
        """Stream ``cells`` of the rows in order of time and key as COPY sends them, some rows at a time.

        Args:
            cells: SQL for them.
            options: options of COPY.
        """
        return copied(self._copy(cells, self._order, options))

    def newest(self) -> Line | None:
        """The row with the greatest position, without its JSON; None in an empty slice."""
        columns = sql.SQL("position, {}, {}::text, ''::bytea").format(
            time_text(self.feed), sql.Identifier(self.feed.key_column)
        )
        row = _row(sql.SQL("{} ORDER BY position DESC LIMIT 1").format(self._select(columns)))
        return None if row is None else Line(*row)

    def figures(self) -> "Figures":
        """What the receipt of the rows says of them."""
        columns = sql.SQL("count(*), coalesce(min(position), 0), coalesce(max(position), 0), {}, {}, {}").format(
            *(iso_text(sql.SQL("{}({})").format(end, sql.Identifier(self.feed.time_column))) for end in _ENDS),
            sql.SQL(id_sum_of("postgres", self.feed.key_column)),
        )
        rows, first, last, first_time, last_time, id_sum = _row(self._select(columns)) or ()
        return Figures(rows, (first, last), first_time or "", last_time or "", int(id_sum or 0))

    def by_time(self, parts: int) -> list["RowRange"]:
        """The slice in ``parts`` by time, one after the other, with about as many rows each.

        Rows arrive nearly in the order of their time, so the times of rows at equal distances by position are taken
        for the ends. Where many rows share a time, parts may be empty.
        """
        first, last = _row(self._select(sql.SQL("min(position), max(position)"))) or (None, None)
        if first is None or last is None:
            return [self]
        places = [first + (last - first) * part // parts for part in range(1, parts)]
        ends = sorted({moment for place in places if (moment := self._time_from(place)) is not None})
        starts = [self.since, *ends]
        return [replace(self, since=start, before=end) for start, end in zip(starts, [*ends, self.before], strict=True)]

    def _time_from(self, position: int) -> datetime | None:
        """The time of the first row at or after ``position``."""
        from_there = sql.SQL("position >= {}").format(sql.Literal(position))
        time = self._select(sql.Identifier(self.feed.time_column), from_there)
        row = _row(sql.SQL("{} ORDER BY position LIMIT 1").format(time))
        return None if row is None else row[0]

    @property
    def _order(self) -> tuple[str, ...]:
        return self.feed.time_column, self.feed.key_column

    def _copy(self, cells: Iterable[sql.Composable], order: Iterable[str], options: sql.SQL) -> sql.Composed:
        rows = self._select(sql.SQL(", ").join(cells))
        columns = sql.SQL(", ").join(map(sql.Identifier, order))
        return sql.SQL("COPY ({} ORDER BY {}) TO STDOUT {}").format(rows, columns, options)

    def _select(self, columns: sql.Composable, *conditions: sql.Composable) -> sql.Composed:
        bounds = [
            sql.SQL("position > {}").format(sql.Literal(self.after)),
            sql.SQL("position <= {}").format(sql.Literal(self.until)),
            *conditions,
        ]
        time = sql.Identifier(self.feed.time_column)
        if self.since is not None:
            bounds.append(sql.SQL("{} >= {}").format(time, sql.Literal(self.since)))
        if self.before is not None:
            bounds.append(sql.SQL("{} < {}").format(time, sql.Literal(self.before)))
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
    row = _row(query)
    return None if row is None else row[0]


def _row(query: sql.Composable) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(query)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
