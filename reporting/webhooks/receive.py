"""The ingestion shim: rows of a webhook's message, from wire shape to a dated object on the warehouse stage.

A message is kept once, under its id:

    <INGEST_STAGE_URI>/<feed>/dt=YYYY-MM-DD/<message id>.ndjson

The date is that of the first row's time column, in UTC, and not that of the clock, so that a message which is repeated
after midnight finds its object. The manifest beside the object is written last. Where the shim died between the two,
the repetition of the message, which the sender owes to a message that was not answered, writes the manifest.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from reporting.feeds import Feed
from reporting.feeds.from_wire import UnmappableError, warehouse_row
from reporting.feeds.lines import warehouse_line
from reporting.feeds.shapes import Row
from reporting.lake import storage
from reporting.lake.manifests import Content, manifest_uri
from reporting.lake.writer import ObjectWriter
from telemetry.bodies import BodyError, parse, problem_of

MAX_ROWS = 1_000
_MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class TooManyRowsError(ValueError):
    """A message holds more rows than the shim takes."""


class ConflictingContentError(RuntimeError):
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
        UnmappableError: a part of the message is not what the warehouse takes.
        TooManyRowsError: the message has too many rows.
        ConflictingContentError: another message of that id was kept before.
        reporting.lake.storage.LakeError: the stage cannot be read or written; the message may be repeated.
    """
    if not _MESSAGE_ID.fullmatch(message_id):
        raise UnmappableError("webhook-id", "Must be 1 to 128 of the letters A to Z and a to z, digits, _ and -.")
    rows = [warehouse_row(feed, row, f"{feed.webhook_key}[{index}]") for index, row in enumerate(_rows(feed, body))]
    key = f"{feed.key}/dt={rows[0][feed.time_column][:10]}/{message_id}.ndjson"
    uri = f"{settings.INGEST_STAGE_URI}/{key}"
    with _alone(uri):
        _keep(feed, message_id, uri, rows)
    return Accepted(len(rows), key)


def _rows(feed: Feed, body: bytes) -> list[Any]:
    try:
        parsed = parse(body, is_ndjson=False)
    except BodyError as error:
        raise UnmappableError("body", "Must be a JSON object.") from error
    message = None if parsed.is_batch else parsed.events[0]
    if problem := problem_of(message):
        path, _, reason = problem.partition(": ")
        raise UnmappableError("body" if path in {"", "event"} else path, reason)
    if not isinstance(message, dict):
        raise UnmappableError("body", "Must be a JSON object.")
    rows = message.get(feed.webhook_key)
    if not isinstance(rows, list) or not rows:
        raise UnmappableError(str(feed.webhook_key), f"Must be an array of 1 to {MAX_ROWS:,} rows.")
    if len(rows) > MAX_ROWS:
        raise TooManyRowsError(f"The message holds {len(rows):,} rows; send at most {MAX_ROWS:,}.")
    return rows


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Let one delivery of a message at a time look for its object and write it, across all processes."""
    lock = int.from_bytes(hashlib.sha256(uri.encode()).digest()[:8], signed=True)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        yield


def _keep(feed: Feed, message_id: str, uri: str, rows: list[Row]) -> None:
    with ObjectWriter(feed, "warehouse") as writer:
        writer.add([warehouse_line(feed, row) for row in rows])
        stored = _sha256_at(uri)
        if stored not in {None, writer.sha256}:
            raise ConflictingContentError(f"Message {message_id} was sent before with other rows.")
        if stored is None:
            writer.put(uri)
        if not storage.exists(manifest_uri(uri)):
            writer.seal(uri, message_id)


def _sha256_at(uri: str) -> str | None:
    """SHA-256 of an object of the stage, None where there is none."""
    content = Content()
    try:
        for chunk in storage.read(uri):
            content.write(chunk)
    except storage.ObjectNotFoundError:
        return None
    return content.sha256
