"""The ingestion shim: rows of a webhook's message, from wire shape to a dated object on the warehouse stage.

A message is kept once, under its id:

    <INGEST_STAGE_URI>/<feed>/dt=YYYY-MM-DD/<message id>.ndjson

The date is that of the first row's time column, in UTC, and not that of the clock, so that a message which is repeated
after midnight finds its object. The manifest beside the object is written last. Where the shim died between the two,
the repetition of the message, which the sender owes to a message that was not answered, writes the manifest.
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from reporting import lake
from reporting.feeds import Column, ColumnType, Feed
from reporting.receipts import Tally, manifest_uri
from reporting.shapes import Row, iso, model_of, ndjson
from telemetry.bodies import UnreadableBody, parse, problem_of

MOST_ROWS = 1_000
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})")
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# S3's name of a key that is not there.
_MISSING = "NoSuchKey"


class Unmappable(ValueError):
    """A part of a message cannot become a row of the warehouse.

    Attributes:
        path: the part, such as ``followUps[3].createdAt``.
        problem: what it has to be.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem


class TooManyRows(ValueError):
    """A message holds more rows than the shim takes."""


class OtherContent(RuntimeError):
    """The stage holds another message of the same id."""


@dataclass(frozen=True)
class Accepted:
    """What became of a message: how many rows it has, and the key of its object below the stage."""

    rows: int
    key: str


def accept(feed: Feed, message_id: str, body: bytes) -> Accepted:
    """Keep the rows of a message on the stage, once.

    Args:
        feed: the feed of the rows.
        message_id: the id under which they are kept.
        body: the message, whose signature was verified.

    Raises:
        Unmappable: a part of the message is not what the warehouse takes.
        TooManyRows: the message has too many rows.
        OtherContent: another message of that id was kept before.
        reporting.lake.LakeError: the stage cannot be read or written; the message may be repeated.
    """
    if not _MESSAGE_ID.fullmatch(message_id):
        raise Unmappable("webhook-id", "Must be 1 to 128 of the letters A to Z and a to z, digits, _ and -.")
    rows = [warehouse_row(feed, row, f"{feed.webhook_key}[{index}]") for index, row in enumerate(_rows(feed, body))]
    key = f"{feed.key}/dt={rows[0][feed.time_column][:10]}/{message_id}.ndjson"
    uri = f"{settings.INGEST_STAGE_URI}/{key}"
    with _alone(uri):
        _keep(feed, message_id, uri, rows)
    return Accepted(len(rows), key)


def _rows(feed: Feed, body: bytes) -> list[Any]:
    try:
        parsed = parse(body, is_ndjson=False)
    except UnreadableBody as error:
        raise Unmappable("body", "Must be a JSON object.") from error
    message = None if parsed.is_batch else parsed.events[0]
    if problem := problem_of(message):
        path, _, reason = problem.partition(": ")
        raise Unmappable("body" if path in {"", "event"} else path, reason)
    if not isinstance(message, dict):
        raise Unmappable("body", "Must be a JSON object.")
    rows = message.get(feed.webhook_key)
    if not isinstance(rows, list) or not rows:
        raise Unmappable(str(feed.webhook_key), f"Must be an array of 1 to {MOST_ROWS:,} rows.")
    if len(rows) > MOST_ROWS:
        raise TooManyRows(f"The message holds {len(rows):,} rows; send at most {MOST_ROWS:,}.")
    return rows


def warehouse_row(feed: Feed, row: Any, path: str) -> Row:
    """A row in warehouse shape.

    Args:
        feed: the feed of the row.
        row: what the sender sent for it, which should be an object in wire shape; unknown keys are ignored.
        path: where it stands in the message, for errors.

    Raises:
        Unmappable: a value is missing, or not of its column's type.
    """
    if not isinstance(row, dict):
        raise Unmappable(path, "Must be an object.")
    return {column.name: _cell(feed, column, row, path) for column in feed.columns}


def _cell(feed: Feed, column: Column, row: Row, path: str) -> Any:
    for wire_path in column.wire:
        if (value := _value_at(row, wire_path, path)) is not None:
            return _checked(feed, column, value, f"{path}.{wire_path}")
    if column.nullable:
        return None
    raise Unmappable(f"{path}.{column.wire[0]}", "Must not be null or missing.")


def _value_at(row: Row, wire_path: str, path: str) -> Any:
    value: Any = row
    for name in wire_path.split("."):
        if value is None:
            return None
        if not isinstance(value, dict):
            raise Unmappable(path, "Must be an object or null.")
        value, path = value.get(name), f"{path}.{name}"
    return value


def _checked(feed: Feed, column: Column, value: Any, path: str) -> Any:
    if column.type is ColumnType.TEXT:
        most = model_of(feed)._meta.get_field(column.name).max_length  # type: ignore[union-attr]
        return _text(value, most, path)
    return _CHECKS[column.type](value, path)


def _text(value: Any, most: int | None, path: str) -> str:
    if not isinstance(value, str) or (most is not None and len(value) > most):
        raise Unmappable(path, f"Must be a text of at most {most} characters." if most else "Must be a text.")
    return value


def _uuid(value: Any, path: str) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Unmappable(path, "Must be a UUID.")
    return value.lower()


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise Unmappable(path, "Must be true or false.")
    return value


def _time(value: Any, path: str) -> str:
    try:
        moment = datetime.fromisoformat(value) if _TIME.fullmatch(value) else None
    except (ValueError, TypeError):
        moment = None
    if moment is None or not _EARLIEST <= moment < _LATEST:
        raise Unmappable(path, "Must be a time from 1970 to 2200, such as 2026-01-22T04:00:00.123456Z.")
    return iso(moment)


_CHECKS: dict[ColumnType, Callable[[Any, str], Any]] = {
    ColumnType.UUID: _uuid,
    ColumnType.BOOLEAN: _flag,
    ColumnType.TIMESTAMP: _time,
    ColumnType.JSON: lambda value, path: value,
}


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Let one delivery of a message at a time look for its object and write it, across all processes."""
    lock = int.from_bytes(hashlib.sha256(uri.encode()).digest()[:8], signed=True)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        yield


def _keep(feed: Feed, message_id: str, uri: str, rows: list[Row]) -> None:
    content, tally = b"".join(map(ndjson, rows)), Tally()
    tally.content.write(content)
    for row in rows:
        tally.count(row[feed.key_column], row[feed.time_column])
    found = _stored(uri)
    if found not in {None, content}:
        raise OtherContent(f"Message {message_id} was sent before with other rows.")
    if found is None:
        lake.write(uri, content)
    if _stored(manifest_uri(uri)) is None:
        receipt = tally.receipt(feed.key, uri, None, message_id, timezone.now(), shape="warehouse")
        lake.write(manifest_uri(uri), receipt.as_json())


def _stored(uri: str) -> bytes | None:
    """The content of an object of the stage, None where there is none."""
    try:
        return b"".join(lake.read(uri))
    except lake.LakeError as error:
        cause = error.__cause__
        code = cause.response.get("Error", {}).get("Code") if isinstance(cause, ClientError) else None
        if isinstance(cause, FileNotFoundError) or code == _MISSING:
            return None
        raise
