"""Rows of a feed in the two shapes in which they leave the system, derived from its declaration.

The wire shape (camelCase, nested) serves REST, webhooks and telemetry NDJSON; the warehouse shape (the columns of the
reference, flat) serves the warehouse stage, and CSV, which :mod:`reporting.feeds.csv` has PostgreSQL write.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.apps import apps
from django.db.models import QuerySet

from reporting.feeds import Feed
from smplat.lib.times import iso

if TYPE_CHECKING:
    # The base of the models loads with the applications, and shapes are of use before them.
    from smplat.lib.feed_models import FeedModel

Row = dict[str, Any]


def model_of(feed: Feed) -> "type[FeedModel]":
    """The model whose rows ``feed`` exports."""
    model: type[FeedModel] = apps.get_model(feed.model)
    return model


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
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def warehouse_rows(feed: Feed, rows: QuerySet[Any]) -> Iterator[Row]:
    """The rows of a queryset in warehouse shape, streamed in the queryset's order."""
    names = [column.name for column in feed.columns]
    for values in rows.values(*names).iterator(chunk_size=500):
        yield {name: _plain(values[name]) for name in names}


def _plain(value: Any) -> Any:
    convert = _CONVERSIONS.get(type(value))
    return convert(value) if convert else value


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {datetime: iso, UUID: str}
