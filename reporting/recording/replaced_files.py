"""Files with rows of the replaced system: NDJSON, or CSV with a header; read as a stream."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from telemetry.bodies import BodyError, Unstorable, parse

# Metadata and notes stand in one cell; the library's own limit is lower.
_MAX_CELL = 1_048_576


def rows(path: Path) -> Iterator[tuple[int, Any]]:
    """The rows of a file, each with its line number; one that cannot be read is an :class:`Unstorable`.

    Empty cells of a CSV file are None.

    Raises:
        OSError: the file cannot be read.
    """
    # Bytes that are no UTF-8 become lone surrogates, which spoil only the row in which they stand.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        start = next((line for line in file if line.strip()), "")
        file.seek(0)
        yield from _json_rows(file) if start.lstrip().startswith(("{", "[")) else _csv_rows(file)


def _json_rows(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _document(line)


def _document(line: str) -> Any:
    try:
        body = parse(line.encode("utf-8", "surrogateescape"), is_ndjson=False)
    except BodyError as error:
        return Unstorable(str(error))
    return body.events if body.is_batch else body.events[0]


def _csv_rows(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(_MAX_CELL)
    reader = csv.DictReader(lines, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, Unstorable(str(error))
            continue
        row = {name: cell or None for name, cell in cells.items()}
        yield reader.line_num, Unstorable("more cells than the header has") if None in cells else row
