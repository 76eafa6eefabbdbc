"""Receipts of the lake's NDJSON objects: the manifest beside each object, which proves it complete.

The manifest is written last, so an object without one was never finished; readers load what a manifest lists.
"""

import builtins
import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import IO, Any

import orjson

from reporting.feeds.checksums import id_number
from smplat.lib.times import iso


@dataclass(frozen=True)
class Receipt:
    """The content of a manifest, in the order in which it is written."""

    feed: str
    shape: str
    object: str
    bytes: int
    rows: int
    sha256: str
    firstPosition: int | None
    lastPosition: int | None
    firstRecordedAt: str
    lastRecordedAt: str
    idSum: int
    createdAt: str
    run: str

    def as_json(self) -> "builtins.bytes":
        """The manifest file."""
        return json.dumps(asdict(self), indent=2).encode() + b"\n"


def manifest_uri(object_uri: str) -> str:
    """Where the manifest of an object lies."""
    return f"{object_uri}.manifest.json"


class Content:
    """Counts the bytes that are written to an object on their way into ``file``."""

    def __init__(self, file: IO[builtins.bytes] | None = None) -> None:
        self.bytes = 0
        self._file = file
        self._sha256 = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes, in hexadecimal digits."""
        return self._sha256.hexdigest()

    def write(self, data: builtins.bytes) -> int:
        """Count ``data`` and pass it on; return its length."""
        if self._file is not None:
            self._file.write(data)
        self._sha256.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        """Pass on a wish to flush; :class:`gzip.GzipFile` has it of what it writes to."""
        if self._file is not None:
            self._file.flush()


class Tally:
    """Counts the rows of an object, in the order in which they stand in it."""

    def __init__(self) -> None:
        self.rows = 0
        self.content = Content()
        self.first_time = self.last_time = ""
        self._id_sum = 0

    def add(self, line: bytes) -> dict[str, Any]:
        """Count one line of telemetry's NDJSON, in wire shape, and its bytes; return the row that it holds."""
        row: dict[str, Any] = orjson.loads(line)
        self.content.write(line)
        self.count(row["id"], row["recordedAt"])
        return row

    def count(self, key: str, time: str) -> None:
        """Count one row by its key, a UUID in text form, and its time, as it leaves the system."""
        self.rows += 1
        self._id_sum += id_number(key)
        self.first_time = self.first_time or time
        self.last_time = time

    def receipt(
        self,
        feed: str,
        uri: str,
        positions: tuple[int, int] | None,
        run: str,
        created_at: datetime,
        shape: str = "wire",
        content: Content | None = None,
    ) -> Receipt:
        """The receipt of the rows counted.

        Args:
            feed: the feed's key.
            uri: where the object lies.
            positions: least and greatest position of its rows; None where they are not known.
            run: id of the run, or of the message, that writes it.
            created_at: when it was written.
            shape: the shape of its rows, ``wire`` or ``warehouse``.
            content: the bytes of the object; None for the lines that were added.
        """
        content = content or self.content
        first, last = positions or (None, None)
        return Receipt(
            feed=feed,
            shape=shape,
            object=uri,
            bytes=content.bytes,
            rows=self.rows,
            sha256=content.sha256,
            firstPosition=first,
            lastPosition=last,
            firstRecordedAt=self.first_time,
            lastRecordedAt=self.last_time,
            idSum=self._id_sum,
            createdAt=iso(created_at),
            run=run,
        )
