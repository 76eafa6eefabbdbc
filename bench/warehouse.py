"""The load of a DuckDB file, and parity of its rows, against the least that DuckDB and PostgreSQL can do with them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from bench.exporting import fill
from bench.ratio import Ratio
from reporting.feeds.declared.onboarding_segments import FEED
from tests import ROOT
from tests.e2e.desk import Desk

_ROWS = int(os.environ.get("ROWS", "1000000"))
_TEXTS = "SELECT sum(hashtextextended(stored::text, 0)) FROM reporting_pricingexperimentsegment AS stored"


def measure(desk: Desk) -> Iterator[Ratio]:
    """Export rows, load them, and compare them twice."""
    fill(desk, _ROWS)
    _manage(desk, "run_export", FEED.key)
    target = desk.var_dir.parent / "warehouse.duckdb"
    flags = ("--target", f"duckdb://{target}", "--feed", FEED.key)
    _manage(desk, "load_warehouse", *flags, "--dry-run")
    idle = _seconds(lambda: _manage(desk, "load_warehouse", *flags, "--dry-run"))
    least = _seconds(lambda: _insert(next((desk.var_dir / "lake" / FEED.folder).rglob("*.ndjson")), target))
    load = _seconds(lambda: _manage(desk, "load_warehouse", *flags)) - idle
    detail = f"{_ROWS / load:,.0f} rows/s, {_ROWS / least:,.0f} rows/s by read_json alone, start-up left out"
    yield Ratio(f"load of {_ROWS:,} segments / DuckDB's INSERT of read_json", load / least, 2.2, False, detail)
    # Rows that came past the application leave a remainder in the ledger, so a check exits with 1.
    _manage(desk, "check_parity", *flags, is_checked=False)
    parity = _seconds(lambda: _manage(desk, "check_parity", *flags, is_checked=False)) - idle
    with desk.database() as session:
        hashed = _seconds(lambda: session.execute(_TEXTS))
    detail = f"{parity:.1f} s and {hashed:.1f} s for {_ROWS:,} rows, start-up left out"
    yield Ratio("parity, second time / PostgreSQL's hash of each row as text", parity / hashed, 5, False, detail)


def _insert(path: Path, beside: Path) -> None:
    """Have DuckDB insert an object into a table of the same columns and key, checking nothing."""
    types = {"TIMESTAMP WITH TZ": "TIMESTAMPTZ"}
    columns = {column.name: types.get(column.type.value, column.type.value) for column in FEED.columns}
    with duckdb.connect(beside.with_name("yardstick.duckdb"), config={"memory_limit": "1GB"}) as session:
        listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        session.execute(f"CREATE TABLE rows_of_an_object ({listed}, PRIMARY KEY ({FEED.key_column}))")
        session.execute(f"INSERT INTO rows_of_an_object SELECT * FROM read_json('{path}', columns = {columns})")


def _manage(desk: Desk, *arguments: str, is_checked: bool = True) -> None:
    environment = {**desk.environment, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=is_checked)


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
