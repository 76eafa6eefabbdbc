"""Receipts of the lake's NDJSON objects: the manifest beside each object, which proves it complete.

The manifest is written last, so an object without one was never finished; readers load what a manifest lists.
"""

import builtins
import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson

from reporting.shapes import iso

# Eight hexadecimal digits of the key, as a number; written with functions that PostgreSQL, Snowflake and DuckDB share.
ID_SUM_DIGITS = 8


def id_sum_sql(key: str) -> str:
    """SQL for the ``idSum`` over a column, the same text in PostgreSQL, Snowflake and DuckDB.

    The first eight hexadecimal digits of each key, read as a number, added up. The order of rows does not matter, and
    a missing, doubled or foreign row changes the sum.

    Args:
        key: the key column's name.
    """
    digits = "'0123456789abcdef'"
    text = f"LOWER(CAST({key} AS VARCHAR(36)))"
    terms = " + ".join(
        f"CAST(POSITION(SUBSTR({text}, {place}, 1) IN {digits}) - 1 AS BIGINT) * {16 ** (ID_SUM_DIGITS - place)}"
        for place in range(1, ID_SUM_DIGITS + 1)
    )
    return f"SUM({terms})"


def id_number(key: str) -> int:
    """What one key, a UUID in text form, adds to ``idSum``."""
    return int(key[:ID_SUM_DIGITS], 16)


@dataclass(frozen=True)
class Receipt:
    """The content of a manifest, in the order in which it is written."""

    feed: str
    shape: str
    object: str
    bytes: int
    rows: int
    sha256: str
    firstPosition: int
    lastPosition: int
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


class Tally:
    """Counts the lines of an object, from the very bytes that are uploaded."""

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0
        self._sha256 = hashlib.sha256()
        self._id_sum = 0
        self.first: dict[str, Any] = {}
        self.last: dict[str, Any] = {}

    def add(self, line: bytes) -> dict[str, Any]:
        """Count one line of NDJSON, in wire shape, and return the row that it holds."""
        row: dict[str, Any] = orjson.loads(line)
        self.rows += 1
        self.bytes += len(line)
        self._sha256.update(line)
        self._id_sum += id_number(row["id"])
        self.first = self.first or row
        self.last = row
        return row

    def receipt(self, feed: str, uri: str, positions: tuple[int, int], run: str, created_at: datetime) -> Receipt:
        """The receipt of the lines counted.

        Args:
            feed: the feed's key.
            uri: where the object lies.
            positions: position of its first and of its last row.
            run: id of the run that writes it.
            created_at: when it was written.
        """
        return Receipt(
            feed=feed,
            shape="wire",
            object=uri,
            bytes=self.bytes,
            rows=self.rows,
            sha256=self._sha256.hexdigest(),
            firstPosition=positions[0],
            lastPosition=positions[1],
            firstRecordedAt=self.first["recordedAt"],
            lastRecordedAt=self.last["recordedAt"],
            idSum=self._id_sum,
            createdAt=iso(created_at),
            run=run,
        )
