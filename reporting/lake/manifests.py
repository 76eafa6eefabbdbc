"""Receipts of the lake's NDJSON objects: the manifest beside each object, which proves it complete.

The manifest is written last, so an object without one was never finished; readers load what a manifest lists.
"""

import builtins
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import IO


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
