"""The content of a checkpoint: a point in a feed, and how it is read from a file.

A point with a position goes on after that position. One that has a time alone goes on at that time, inclusive. What
cannot be understood is an error: to start again from zero in silence would deliver everything twice, and to go on in
the wrong place would lose rows.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.utils import timezone

from reporting.feeds import FEEDS
from reporting.feeds.fence import last_position
from reporting.feeds.shapes import model_of
from smplat.lib.times import is_accepted, iso

#: How far ahead of this machine's clock a checkpoint may be, since the clocks of two machines differ.
CLOCK_TOLERANCE = timedelta(minutes=5)
MAX_BYTES = 65_536
_MAX_QUOTE_LENGTH = 80
_FORMS = 'a JSON object with "cursor" or "position", or a bare time'
_TIMES = "an ISO 8601 time with its offset from UTC, from 1970 to 2199, such as 2026-01-22T04:00:00.123456Z"


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read, understood, written or moved; the message says which, and what is allowed."""


@dataclass(frozen=True)
class Point:
    """How far the exports of a feed have got.

    Attributes:
        feed: the feed's key.
        cursor: the time of the last exported row as ISO 8601 in UTC, to the microsecond; None where only the position
            is known.
        position: the last exported position; None where only the time is known.
        rows: rows of the run that moved the checkpoint.
        updated_at: when it was moved, as ISO 8601; empty where a file does not say.
        extra: what else its JSON holds, such as ``downloadUrl`` and ``workflowUrl``.
    """

    feed: str
    cursor: str | None
    position: int | None
    rows: int
    updated_at: str
    extra: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.position is None:
            return f"time {self.cursor}"
        return f"position {self.position}" + (f" (time {self.cursor})" if self.cursor else "")

    def as_json(self) -> dict[str, Any]:
        own = {
            "cursor": self.cursor,
            "position": self.position,
            "rows": self.rows,
            "updatedAt": self.updated_at or None,
            "feed": self.feed,
        }
        return {**own, **self.extra, **own}


def parse(content: bytes, feed: str, origin: str, *, has_database: bool = True) -> Point:
    """Read a checkpoint: its JSON, an object with ``cursor`` alone, or a bare time, quoted or not.

    Args:
        content: the file.
        feed: key of the feed that it should belong to.
        origin: its path or URI, for the error.
        has_database: whether the feed's rows lie in the database of this process, so that a position can be checked.

    Raises:
        CheckpointError: it is corrupt, lies in the future, or is a checkpoint of another feed.
    """
    try:
        point = _point(_values(content), feed)
        if has_database and point.position is not None:
            check_position(point.position, feed)
    except ValueError as error:
        raise CheckpointError(f"the checkpoint {origin} cannot be used: {error}") from error
    return point


def moment(text: object) -> datetime:
    """The time that ``text`` stands for.

    Digits beyond the microsecond are cut off, never rounded: a checkpoint may go on too early, but not too late.

    Raises:
        ValueError: it is no time with an offset from 1970 to 2199.
    """
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None or not is_accepted(found):
        raise refused(_shown(text), _TIMES)
    return found.astimezone(UTC)


def refused(found: str, allowed: str) -> ValueError:
    """The error of a value that is not allowed."""
    shown = found if len(found) <= _MAX_QUOTE_LENGTH else f"{found[:_MAX_QUOTE_LENGTH]}…"
    return ValueError(f"found {shown}, allowed is {allowed}")


def _shown(value: object) -> str:
    """A value of the file as an error quotes it; one that is nested may be too deep to be written."""
    if isinstance(value, dict):
        return "an object"
    return "an array" if isinstance(value, list) else repr(value)


def _values(content: bytes) -> dict[str, Any]:
    """The values of a checkpoint file, whichever form it has."""
    if len(content) > MAX_BYTES:
        raise refused(f"more than {MAX_BYTES} bytes", _FORMS)
    try:
        text = content.decode("utf-8-sig").strip()
        if text.startswith("{"):
            return dict(orjson.loads(text))
        cursor = orjson.loads(text) if text.startswith('"') else text
    except ValueError as error:
        raise refused(repr(content), f"{_FORMS} ({error})") from error
    if not text:
        raise refused("an empty file", _FORMS)
    return {"cursor": cursor}


def _point(values: dict[str, Any], feed: str) -> Point:
    named, cursor, position = values.pop("feed", feed), values.pop("cursor", None), values.pop("position", None)
    if named != feed:
        raise refused(f"a checkpoint of feed {_shown(named)}", f"one of feed {feed!r}")
    if cursor is None and position is None:
        raise refused("neither cursor nor position", _FORMS)
    updated_at = values.pop("updatedAt", None)
    return Point(
        feed=feed,
        cursor=None if cursor is None else iso(_past(cursor)),
        position=None if position is None else _whole("position", position),
        rows=_whole("rows", values.pop("rows", 0)),
        updated_at="" if updated_at is None else iso(moment(updated_at)),
        extra=values,
    )


def _past(cursor: object) -> datetime:
    at = moment(cursor)
    if at > timezone.now() + CLOCK_TOLERANCE:
        raise refused(f"the future time {cursor!r}", f"a time up to now, {iso(timezone.now())}")
    return at


def _whole(name: str, value: object) -> int:
    if type(value) is not int or value < 0:
        raise refused(f"{name} {_shown(value)}", "a whole number, 0 or more")
    return value


def check_position(position: int, feed: str) -> None:
    """Refuse a position that was never drawn.

    Rows with smaller positions would still come, and an export that goes on after it would skip them.

    Raises:
        ValueError: it lies beyond the last position of ``feed``.
    """
    if position > (last := last_position(feed)):
        raise refused(f"position {position}", f"one up to {last}, the last one of {feed}")


def check_history(point: Point, origin: str) -> None:
    """Refuse a position and time of which this database has no row.

    A database that was restored gives lost positions out again, and an export that goes on after one of them would skip
    the new rows before it.

    Args:
        point: a checkpoint that the database does not know of.
        origin: its path or URI, for the error.

    Raises:
        CheckpointError: the position is that of another history.
    """
    if not point.position or point.cursor is None:
        return
    feed = FEEDS[point.feed]
    row = model_of(feed).objects.filter(position=point.position).values_list(feed.time_column, flat=True).first()
    if row is None or iso(row) != point.cursor:
        raise CheckpointError(
            f"the checkpoint {origin} cannot be used: {point} is of another history, and no row here is that one; "
            "remove the checkpoint to start at the first row, or replace it by the time to start at"
        )
