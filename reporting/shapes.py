"""Rows of a feed in the two shapes in which they leave the system, derived from its declaration.

The wire shape (camelCase, nested) serves REST, webhooks and telemetry NDJSON; the warehouse shape (the columns of the
reference, flat) serves CSV and the warehouse stage.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from django.apps import apps
from django.db.models import Model, QuerySet

from reporting.feeds import Feed

# A spreadsheet runs a cell that starts with one of these as a formula (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Row = dict[str, Any]


def model_of(feed: Feed) -> type[Model]:
    """The model whose rows ``feed`` exports."""
    return apps.get_model(feed.model)


def iso(moment: datetime) -> str:
    """``moment`` as ISO 8601 in UTC with a ``Z``, always with six decimals, so that texts sort as moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def wire_rows(feed: Feed, rows: QuerySet[Any]) -> Iterator[Row]:
    """The rows of a queryset in wire shape, streamed in the queryset's order."""
    sources = list(dict.fromkeys(field.source for field in feed.wire))
    for values in rows.values(*sources).iterator(chunk_size=500):
        yield wire(feed, values)


def wire(feed: Feed, values: Row) -> Row:
    """One row in wire shape.

    Args:
        feed: the feed of the row.
        values: the row's values by the sources that the feed's wire fields name.
    """
    row: Row = {}
    for field in feed.wire:
        target, _, leaf = field.path.rpartition(".")
        group = row.setdefault(target, {}) if target else row
        group[leaf] = _plain(values[field.source])
    for name in feed.optional_groups:
        if all(value is None for value in row[name].values()):
            row[name] = None
    return row


def ndjson(row: Row) -> bytes:
    """One line of NDJSON."""
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def warehouse_rows(feed: Feed, rows: QuerySet[Any]) -> Iterator[Row]:
    """The rows of a queryset in warehouse shape, streamed in the queryset's order."""
    names = [column.name for column in feed.columns]
    for values in rows.values(*names).iterator(chunk_size=500):
        yield {name: _plain(values[name]) for name in names}


def csv_lines(feed: Feed, rows: Iterable[Row]) -> Iterator[str]:
    """CSV by RFC 4180 of rows in warehouse shape, a header first; formulas are defused."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow([column.name for column in feed.columns])
    for row in rows:
        writer.writerow([_cell(value) for value in row.values()])
        if buffer.tell() > 32_768:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _plain(value: Any) -> Any:
    convert = _CONVERSIONS.get(type(value))
    return convert(value) if convert else value


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {datetime: iso, UUID: str}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
