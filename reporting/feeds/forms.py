"""Rows of scalars as JSON lines, by a form whose blanks are filled with what COPY sends.

COPY's text format escapes backslashes, tabs and line breaks as a JSON string does. What is left to do is done for all
rows of a block at once: quotes, the control characters that COPY leaves as they are, and NULL. So PostgreSQL writes the
values alone, which costs it a third of writing the JSON.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from psycopg import sql

from reporting.feeds import Column, ColumnType, Feed
from reporting.feeds.sql import iso_text

#: Of what is below the space, COPY escapes the rest, and ends values and rows with a tab and a line feed.
_BARE_CONTROLS = bytes(code for code in range(32) if code not in b"\b\t\n\v\f\r")
# A pair is read whole, or the end of a backslash that was doubled would pass for the start of the next escape.
_UNLIKE_JSON = re.compile(rb"\\.|[\x00-\x07\x0e-\x1f]", re.DOTALL)


@dataclass(frozen=True)
class Form:
    """How the JSON of one row looks.

    Attributes:
        cells: SQL for the values, in the order of the blanks.
        line: the JSON with a blank for each value, and a line feed.
        empty_groups: the JSON of optional groups that hold nothing but nulls, with what stands in its place.
    """

    cells: tuple[sql.Composable, ...]
    line: bytes
    empty_groups: tuple[tuple[bytes, bytes], ...]

    def fill(self, rows: list[memoryview]) -> bytes:
        """The lines of rows as COPY sent them, which is one at least."""
        data = b"".join(rows).replace(b'"', b'\\"')
        if b"\\v" in data or len(data.translate(None, _BARE_CONTROLS)) < len(data):
            data = _UNLIKE_JSON.sub(_as_json, data)
        values = data[:-1].replace(b"\n", b"\t").split(b"\t")
        lines = self.line * len(rows) % tuple(values)
        # COPY's NULL. A string that holds these characters has its backslash doubled.
        if b"\\N" in lines:
            lines = lines.replace(b'"\\N"', b"null")
            for group, null in self.empty_groups:
                lines = lines.replace(group, null)
        return lines


def form_of(feed: Feed, shape: str) -> Form | None:
    """The form of a feed's rows.

    Args:
        feed: the feed.
        shape: ``wire`` or ``warehouse``.

    Returns:
        None where a value is JSON of its own, whose quotes would be escaped.
    """
    columns = {column.name: column for column in feed.columns}
    sources = {field.path: field.source for field in feed.wire} if shape == "wire" else {name: name for name in columns}
    if any(source not in columns or columns[source].type is ColumnType.JSON for source in sources.values()):
        return None
    members: dict[str, dict[str, Column]] = {}
    for path, source in sources.items():
        name, _, leaf = path.partition(".")
        members.setdefault(name, {})[leaf] = columns[source]
    cells = [_cell(column) for group in members.values() for column in group.values()]
    line = _object((name, _blanks(group)) for name, group in members.items()) + b"\n"
    optional = [name for name in members if name in feed.optional_groups]
    empty = [
        (_member(name, _object((leaf, b"null") for leaf in members[name])), _member(name, b"null")) for name in optional
    ]
    return Form(tuple(cells), line, tuple(empty))


def _cell(column: Column) -> sql.Composable:
    name = sql.Identifier(column.name)
    if column.type is ColumnType.TIMESTAMP:
        return iso_text(name)
    if column.type is ColumnType.BOOLEAN:
        return sql.SQL("CASE {} WHEN true THEN 'true' WHEN false THEN 'false' ELSE 'null' END").format(name)
    return name


def _blanks(group: dict[str, Column]) -> bytes:
    """The blank of a value, or the object of a group's."""
    blanks = {leaf: b"%b" if column.type is ColumnType.BOOLEAN else b'"%b"' for leaf, column in group.items()}
    return blanks[""] if "" in blanks else _object(blanks.items())


def _object(members: Iterable[tuple[str, bytes]]) -> bytes:
    return b"{" + b",".join([_member(name, value) for name, value in members]) + b"}"


def _member(name: str, value: bytes) -> bytes:
    return orjson.dumps(name) + b":" + value


def _as_json(found: re.Match[bytes]) -> bytes:
    text = found[0]
    if text == rb"\v":
        return rb"\u000b"
    return text if len(text) > 1 else rb"\u%04x" % ord(text)
