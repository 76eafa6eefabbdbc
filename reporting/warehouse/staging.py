"""An object on its way into the warehouse: its rows in warehouse shape, in a file of this machine."""

import io
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.utils import timezone

from reporting.feeds import Feed
from reporting.feeds.checksums import id_number
from reporting.feeds.from_wire import UnmappableError
from reporting.feeds.shapes import ndjson
from reporting.lake.manifests import Receipt
from reporting.warehouse.objects import Fetched, MismatchError
from reporting.warehouse.reader import Reader
from smplat.lib.times import iso
from smplat.lib.words import counted

_PART_BYTES = 33_554_432


@dataclass
class Staged:
    """The rows of an object in two files, and what was counted in them.

    Attributes:
        parts: files of the rows that fit their table, one JSON object a line, each with its ``line``; in order.
        refused_path: the rows that do not, as the table of the refused rows takes them.
        rows: how many fit.
        refused: how many do not.
        id_sum: the idSum of the rows that fit.
        max_bytes: the longest line of either file, in bytes.
    """

    parts: list[Path]
    refused_path: Path
    rows: int = 0
    refused: int = 0
    id_sum: int = 0
    max_bytes: int = 0


def stage(feed: Feed, uri: str, receipt: Receipt, fetched: Fetched, folder: Path) -> Staged:
    """Check the rows of an object one by one, and write them to files in ``folder``.

    Raises:
        reporting.warehouse.objects.MismatchError: it has not the rows of its manifest.
    """
    staged = Staged([], folder / "refused.ndjson")
    with closing(_Parts(folder)) as parts, staged.refused_path.open("wb") as refused:
        _write(feed, uri, receipt, fetched, staged, parts, refused)
        staged.parts = parts.paths
    prove(receipt, staged.rows, staged.refused, staged.id_sum)
    return staged


def prove(receipt: Receipt, rows: int, refused: int, id_sum: int) -> None:
    """Hold the rows that were found in an object against its receipt.

    Args:
        receipt: what the manifest says.
        rows: how many fit their table.
        refused: how many do not.
        id_sum: the idSum of those that fit.

    Raises:
        reporting.warehouse.objects.MismatchError: they are not those of the receipt.
    """
    if rows + refused != receipt.rows:
        raise MismatchError(f"it has {counted(rows + refused, 'row')}, and the manifest says {receipt.rows}")
    # The key of a row that is refused may be the reason, so then the sum cannot be held against the manifest.
    if not refused and id_sum != receipt.idSum:
        raise MismatchError(f"its idSum is {id_sum}, and the manifest says {receipt.idSum}")


def _write(
    feed: Feed, uri: str, receipt: Receipt, fetched: Fetched, staged: Staged, parts: "_Parts", refused: IO[bytes]
) -> None:
    reader, seen_at, key = Reader(feed, receipt.shape), iso(timezone.now()), feed.key_column
    for number, line in enumerate(fetched.lines(), start=1):
        try:
            row = reader.row(line)
        except UnmappableError as problem:
            size = refused.write(_refusal(feed, uri, number, line, problem, seen_at))
            staged.refused += 1
        else:
            staged.rows += 1
            staged.id_sum += id_number(row[key])
            size = parts.write(ndjson({**row, "line": number}))
        staged.max_bytes = max(staged.max_bytes, size)


class _Parts:
    """Files that follow each other, so that the warehouse takes an object of any size a part at a time."""

    def __init__(self, folder: Path) -> None:
        self.paths: list[Path] = []
        self._folder, self._room = folder, 0
        self._file: IO[bytes] = io.BytesIO()

    def write(self, line: bytes) -> int:
        """Add a line; return its length."""
        if self._room <= 0:
            self._file.close()
            self.paths.append(self._folder / f"rows-{len(self.paths)}.ndjson")
            self._file, self._room = self.paths[-1].open("wb"), _PART_BYTES
        self._room -= len(line)
        return self._file.write(line)

    def close(self) -> None:
        """Write the last file to its end."""
        self._file.close()


def _refusal(feed: Feed, uri: str, number: int, line: bytes, problem: UnmappableError, seen_at: str) -> bytes:
    raw = line.rstrip(b"\r\n").decode(errors="backslashreplace")
    row = {"object": uri, "line": number, "feed": feed.key, "reason": str(problem), "raw": raw, "seen_at": seen_at}
    return ndjson(row)
