"""The two shapes of a feed as SQL, so that PostgreSQL writes the JSON of a bulk export.

Derived from the same declarations as :mod:`reporting.feeds.shapes`, and tested to give the same JSON. ``row_to_json``
writes compact JSON in the order of the columns.
"""

from collections.abc import Iterable
from typing import Any

from django.db import models
from psycopg import sql

from reporting.feeds import Feed
from reporting.feeds.shapes import model_of

#: ISO 8601 with six decimals and a Z; see :func:`smplat.lib.times.iso`. Django's sessions have UTC for their time zone,
#: and to name it for every row takes a quarter of what a CSV file costs.
_ISO = sql.SQL("""to_char({}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""")
Named = tuple[str, sql.Composable]


def row_json(feed: Feed, shape: str) -> sql.Composable:
    """SQL for one row of ``feed`` as compact JSON.

    Args:
        feed: the feed.
        shape: ``wire`` or ``warehouse``.
    """
    model = model_of(feed)
    if shape == "warehouse":
        return _object((column.name, _value(model, column.name)) for column in feed.columns)
    values: dict[str, Any] = {}
    for field in feed.wire:
        group, _, leaf = field.path.rpartition(".")
        target = values.setdefault(group, {}) if group else values
        target[leaf] = _value(model, field.source)
    return _object((name, _group(feed, name, value)) for name, value in values.items())


def time_text(feed: Feed) -> sql.Composable:
    """SQL for the time of a row of ``feed``, as the shapes write it."""
    return iso_text(sql.Identifier(feed.time_column))


def iso_text(time: sql.Composable) -> sql.Composable:
    """SQL for a time, as the shapes write it."""
    return _ISO.format(time)


def _group(feed: Feed, name: str, value: sql.Composable | dict[str, sql.Composable]) -> sql.Composable:
    if not isinstance(value, dict):
        return value
    whole = _object(value.items())
    if name not in feed.optional_groups:
        return whole
    members = sql.SQL(", ").join(list(value.values()))
    return sql.SQL("CASE WHEN num_nonnulls({}) > 0 THEN {} END").format(members, whole)


def _object(values: Iterable[Named]) -> sql.Composable:
    named = [sql.SQL("{} AS {}").format(value, sql.Identifier(name)) for name, value in values]
    return sql.SQL("(SELECT row_to_json(o) FROM (SELECT {}) AS o)").format(sql.SQL(", ").join(named))


def _value(model: type[models.Model], source: str) -> sql.Composable:
    name, _, key = source.partition("__")
    column = sql.Identifier(name)
    if key:
        return sql.SQL("{} -> {}").format(column, sql.Literal(key))
    is_time = isinstance(model._meta.get_field(name), models.DateTimeField)
    return iso_text(column) if is_time else column
