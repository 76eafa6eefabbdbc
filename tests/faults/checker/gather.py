"""Reads what a desk holds in the end, in a process of the desk's environment.

It loads a new warehouse from the lake, and has the desk compare itself with that.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path

import duckdb
import orjson
from django.db import connection

from reporting.feeds import FEEDS, Feed
from reporting.models import CheckpointMove
from reporting.warehouse import loading, objects, parity
from reporting.warehouse.objects import receipt_of
from reporting.warehouse.sums import Days
from tests.faults.checker.feeds import FEEDS as CHECKED
from tests.faults.checker.feeds import CheckedFeed
from tests.faults.checker.observed import Merged, Observed, merge
from tests.lake import lines


def observe(folder: Path) -> dict[str, Observed]:
    """Everything that the desk, its lake and a new warehouse hold, by feed.

    Args:
        folder: where the warehouse is made.
    """
    path = folder / "warehouse.duckdb"
    problems = [
        problem
        for summary in loading.load(f"duckdb://{path}", FEEDS.values(), lambda text: None)
        for problem in summary.problems
    ]
    if problems:
        raise RuntimeError("\n".join(problems))
    report = parity.check(f"duckdb://{path}", FEEDS.values(), Days(date(1970, 1, 1)), lambda text: None)
    ledger = {key: abs(entry.intake_remainder) + abs(entry.rows_remainder) for key, entry in report.ledger.items()}
    with duckdb.connect(path) as warehouse:
        return {
            key: Observed(
                stored=_stored(checked),
                lake=_lake(FEEDS[key], checked),
                warehouse=_column(warehouse, checked.key, FEEDS[key].table),
                ledger=ledger[key],
                parity={kind: report.feeds[key][kind]["count"] for kind in parity.KINDS},
                moves=_moves(FEEDS[key]),
            )
            for key, checked in CHECKED.items()
        }


def _stored(checked: CheckedFeed) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {checked.key}::text, {checked.token}::text FROM {checked.table}")  # noqa: S608
        return [(key, token) for key, token in cursor.fetchall()]


def _lake(feed: Feed, checked: CheckedFeed) -> Merged:
    return merge(_rows(feed, uri, checked) for uri in objects.listed(feed))


def _rows(feed: Feed, uri: str, checked: CheckedFeed) -> Iterator[tuple[str, bytes]]:
    receipt = receipt_of(feed, uri)
    key = checked.wire_key if receipt.shape == "wire" else checked.key
    for line in lines(uri, receipt):
        yield orjson.loads(line)[key], line


def _column(warehouse: duckdb.DuckDBPyConnection, column: str, table: str) -> list[str]:
    return [str(key) for (key,) in warehouse.execute(f"SELECT {column} FROM {table}").fetchall()]  # noqa: S608


def _moves(feed: Feed) -> list[tuple[int, int | None]]:
    """Each move of the checkpoint, and the last position of the file that the run of the move has made."""
    # Jobs go on meanwhile: of a move that was seen, the file is there, but not the other way round.
    moves = list(CheckpointMove.objects.of(feed.key))
    receipts = {receipt.run: receipt for receipt in (receipt_of(feed, uri) for uri in objects.listed(feed))}
    return [
        (move.to_position, receipts[str(move.run_id)].lastPosition if str(move.run_id) in receipts else None)
        for move in moves
    ]


def main() -> None:
    """Write what is found to the file that the command line names, as JSON."""
    path = Path(sys.argv[1])
    path.write_text(json.dumps({key: asdict(seen) for key, seen in observe(path.parent).items()}))
