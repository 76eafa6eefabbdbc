"""CSV by RFC 4180 in UTF-8, written by PostgreSQL and streamed: files of a listing, and exports.

The rows of a listing are read in chunks, each by a statement of its own that has ended before the chunk is sent on. A
reader who takes hours, or goes away, keeps neither a transaction nor a statement open. A chunk that is too large for
memory waits in a file, so that memory stays flat whatever the rows hold. A database session that is lost between two
chunks costs nothing, since the next one goes on after the last row.
"""

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from csv import writer
from functools import partial
from io import StringIO
from tempfile import SpooledTemporaryFile
from typing import IO

from django.db import DatabaseError, OperationalError
from psycopg import sql

from reporting.feeds import Column, ColumnType, Feed
from reporting.feeds.copying import copied
from reporting.feeds.lines import Block, RowRange
from reporting.feeds.listings import Listing
from reporting.feeds.sql import time_text
from smplat.lib.prepared import drop_lost_session

logger = logging.getLogger(__name__)

#: What Excel needs to take a file for UTF-8.
BOM = b"\xef\xbb\xbf"
#: The last row of a file that could not be finished. The server has said 200 by then, and ends a stream that breaks off
#: like any other, so that nothing but the file itself can tell.
INCOMPLETE = b"INCOMPLETE: the database could not be read to the end. Download this file again.\r\n"
#: Rows that the first statement reads, which keeps a reader waiting, and the later ones, which cost a start each.
_CHUNK_ROWS, _LATER_ROWS = 2_000, 10_000
_CHUNK_BYTES_IN_MEMORY = 4 * 1_048_576
_BLOCK_BYTES = 65_536
_CSV = sql.SQL("(FORMAT csv)")
# A spreadsheet runs a cell that starts with one of these as a formula (OWASP, "CSV injection"); it takes the wide
# forms of East Asian keyboards for the narrow ones. The function ascii() gives the code point of a first character; a
# regular expression would cost as much as all the rest of a row.
_FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
_FORMULA = sql.SQL(", ").join([sql.Literal(ord(character)) for character in _FORMULA_STARTS])


def csv_file(listing: Listing, rows: int | None, before: str | None, with_bom: bool) -> Generator[bytes, None, None]:
    """The rows of a listing in warehouse shape, as CSV with a header.

    Args:
        listing: the rows, and their order.
        rows: how many to write at most; None for all.
        before: the mark after which to begin; None for the newest row.
        with_bom: whether the file starts with a byte-order mark, which Excel needs and others stumble over.
    """
    yield (BOM if with_bom else b"") + csv_header(listing.feed)
    left, chunk = rows, _CHUNK_ROWS
    while left is None or left > 0:
        count = chunk if left is None else min(left, chunk)
        with SpooledTemporaryFile(_CHUNK_BYTES_IN_MEMORY) as file:
            try:
                written, before = _read_chunk(listing, before, count, file)
            except DatabaseError:
                logger.exception("A CSV file of %s broke off.", listing.feed.key)
                yield INCOMPLETE
                return
            file.seek(0)
            yield from iter(partial(file.read, _BLOCK_BYTES), b"")
        if written < count:
            return
        left, chunk = None if left is None else left - written, _LATER_ROWS


def csv_line(cells: Iterable[object]) -> bytes:
    """A line of a CSV file that PostgreSQL does not write, with its formulas defused as in those that it does."""
    line = StringIO(newline="")
    writer(line).writerow([_defused(cell) if isinstance(cell, str) else cell for cell in cells])
    return line.getvalue().encode()


def _defused(cell: str) -> str:
    return f"'{cell}" if cell and cell[0] in _FORMULA_STARTS else cell


def facts(listing: Listing, rows: int, before: str | None, with_bom: bool) -> str:
    """What decides the bytes of :func:`csv_file`: which rows they are, and how they are written; by one query.

    A row that is committed between this query and that of the file is in the file alone. So the facts differ the next
    time, and the file is sent once more: too often, never too seldom.
    """
    rendering = _query(listing, None, 1)[0].as_string(None)
    keys = listing.rows(before).values_list(listing.feed.key_column, flat=True)[:rows]
    return f"{with_bom} {csv_header(listing.feed)!r} {rendering} {' '.join(map(str, keys))}"


def _read_chunk(listing: Listing, before: str | None, count: int, file: IO[bytes]) -> tuple[int, str | None]:
    """Write a chunk, on a new session where the old one is lost."""
    try:
        return _write_chunk(listing, before, count, file)
    except OperationalError:
        if not drop_lost_session():
            raise
        file.seek(0)
        file.truncate()
        return _write_chunk(listing, before, count, file)


def _write_chunk(listing: Listing, before: str | None, count: int, file: IO[bytes]) -> tuple[int, str | None]:
    """Write up to ``count`` rows after ``before``; return how many there were, and the mark of the last."""
    query, parameters = _query(listing, before, count)
    written, last = 0, b""
    for rows in copied(query, parameters):
        marked = [bytes(row).partition(b",") for row in rows]
        file.write(_with_crlf([line for _, _, line in marked]))
        written, last = written + len(rows), marked[-1][0]
    return written, last.decode() or before


def csv_blocks(rows: RowRange) -> Iterator[Block]:
    """The rows of a slice in warehouse shape, in order of time and key, as CSV without a header."""
    for lines in rows.copied(_cells(rows.feed), _CSV):
        yield Block(len(lines), _with_crlf(lines))


def csv_header(feed: Feed) -> bytes:
    """The first line of a CSV file."""
    return ",".join(column.name for column in feed.columns).encode() + b"\r\n"


def _with_crlf(lines: Sequence[bytes | memoryview]) -> bytes:
    """Lines of COPY, which ends each with a line feed alone; those within a cell stay as they are."""
    data = b"".join(lines)
    if data.count(b"\n") == len(lines):
        return data.replace(b"\n", b"\r\n")
    return b"".join([bytes(line)[:-1] + b"\r\n" for line in lines])


def _query(listing: Listing, before: str | None, count: int) -> tuple[sql.Composed, tuple[object, ...]]:
    names = list(dict.fromkeys([*(column.name for column in listing.feed.columns), *listing.mark_columns]))
    chunk, parameters = listing.rows(before).values(*names)[:count].query.sql_with_params()
    cells = sql.SQL(", ").join([listing.mark_sql, *_cells(listing.feed)])
    # A plain selection from a sorted subquery comes in the order of the subquery.
    query = sql.SQL("COPY (SELECT {} FROM ({}) AS chunk) TO STDOUT {}").format(cells, sql.SQL(chunk), _CSV)
    return query, parameters


def _cells(feed: Feed) -> list[sql.Composable]:
    return [_cell(feed, column) for column in feed.columns]


def _cell(feed: Feed, column: Column) -> sql.Composable:
    name = sql.Identifier(column.name)
    if column.name == feed.time_column:
        return time_text(feed)
    if column.type is ColumnType.BOOLEAN:
        return sql.SQL("{}::text").format(name)
    if column.type is ColumnType.TEXT:
        return sql.SQL("CASE WHEN ascii({0}) IN ({1}) THEN '''' || {0} ELSE {0} END").format(name, _FORMULA)
    return name
