"""Rows in wire shape, as others send them or as files hold them, checked and brought into warehouse shape."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from reporting.feeds import Column, ColumnType, Feed
from reporting.feeds.shapes import Row, model_of
from smplat.lib.times import is_accepted, iso

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")


class UnmappableError(ValueError):
    """A part of a message cannot become a row of the warehouse.

    Attributes:
        path: the part, such as ``followUps[3].createdAt``.
        problem: what it has to be.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem


def warehouse_row(feed: Feed, row: Any, path: str) -> Row:
    """A row in warehouse shape.

    Args:
        feed: the feed of the row.
        row: what the sender sent for it, which should be an object in wire shape; unknown keys are ignored.
        path: where it stands in the message, for errors.

    Raises:
        UnmappableError: a value is missing, or not of its column's type.
    """
    if not isinstance(row, dict):
        raise UnmappableError(path, "Must be an object.")
    return {column.name: _cell(feed, column, row, path) for column in feed.columns}


def _cell(feed: Feed, column: Column, row: Row, path: str) -> Any:
    for wire_path in column.wire:
        if (value := _value_at(row, wire_path, path)) is not None:
            return _checked(feed, column, value, f"{path}.{wire_path}")
    if column.nullable:
        return None
    raise UnmappableError(f"{path}.{column.wire[0]}", "Must not be null or missing.")


def _value_at(row: Row, wire_path: str, path: str) -> Any:
    value: Any = row
    for name in wire_path.split("."):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise UnmappableError(path, "Must be an object or null.")
        value, path = value.get(name), f"{path}.{name}"
    return value


def _checked(feed: Feed, column: Column, value: Any, path: str) -> Any:
    if column.type is ColumnType.TEXT:
        max_length = model_of(feed)._meta.get_field(column.name).max_length  # type: ignore[union-attr]
        return _text(value, max_length, path)
    return _CHECKS[column.type](value, path)


def _text(value: Any, max_length: int | None, path: str) -> str:
    if not isinstance(value, str) or (max_length is not None and len(value) > max_length):
        raise UnmappableError(
            path, f"Must be a string of at most {max_length} characters." if max_length else "Must be a string."
        )
    return value


def _uuid(value: Any, path: str) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise UnmappableError(path, "Must be a UUID.")
    return value.lower()


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise UnmappableError(path, "Must be true or false.")
    return value


def _time(value: Any, path: str) -> str:
    try:
        moment = datetime.fromisoformat(value) if _TIME.fullmatch(value) else None
    except (ValueError, TypeError):
        moment = None
    if moment is None or not is_accepted(moment):
        raise UnmappableError(path, "Must be a time from 1970 to 2200, such as 2026-01-22T04:00:00.123456Z.")
    return iso(moment)


_CHECKS: dict[ColumnType, Callable[[Any, str], Any]] = {
    ColumnType.UUID: _uuid,
    ColumnType.BOOLEAN: _flag,
    ColumnType.TIMESTAMP: _time,
    ColumnType.JSON: lambda value, path: value,
}
