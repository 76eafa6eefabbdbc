"""The REST list of segments and the recording of follow-ups, against the bare SQL."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from bench.exporting import fill
from bench.ratio import Ratio
from tests import ROOT
from tests.e2e.desk import Desk

_ROWS = 1_000_000
_LIST = "/api/v1/reporting/onboarding/experiment-events?limit=1000"
_COLUMNS = """event_id, journey_id, order_id, order_number, slug, variant_key, variant_name, is_control, status,
feature_flag_key, assignment_strategy, recorded_at"""
_NEWEST = f"""SELECT {_COLUMNS} FROM reporting_pricingexperimentsegment
ORDER BY recorded_at DESC, event_id DESC LIMIT 1000"""
_OLDEST = "SELECT recorded_at FROM reporting_pricingexperimentsegment ORDER BY recorded_at OFFSET 1001 LIMIT 1"


def measure(desk: Desk) -> Iterator[Ratio]:
    """Time pages over a million rows, and a follow-up, in turns with their bare SQL."""
    fill(desk, _ROWS)
    with desk.client() as client, desk.database() as session:
        client.headers["Accept-Encoding"] = "identity"
        session.autocommit = True
        oldest = session.execute(_OLDEST).fetchone()
        cursor = oldest[0].isoformat().replace("+00:00", "Z") if oldest else ""
        bare, first, deep = medians(
            lambda: json.dumps([tuple(map(str, row)) for row in session.execute(_NEWEST).fetchall()]),
            lambda: client.get(_LIST).raise_for_status(),
            lambda: client.get(f"{_LIST}&cursor={cursor}").raise_for_status(),
        )
        detail = f"{first * 1000:.1f} ms over HTTP, {bare * 1000:.1f} ms bare"
        yield Ratio("page of 1,000 segments / bare SQL and json.dumps", first / bare, 1.3, False, detail)
        yield Ratio("deepest page / first page", deep / first, 1.2, False, f"{deep * 1000:.1f} ms")
    bare, posted = _record_in_one_process(desk)
    detail = f"{posted * 1000:.1f} ms through the application, {bare * 1000:.1f} ms bare, in one process"
    yield Ratio("POST of a follow-up / its bare transaction", posted / bare, 1.8, False, detail)


def _record_in_one_process(desk: Desk) -> tuple[float, float]:
    """Median seconds of a bare transaction and of a POST, without what a client and a socket cost."""
    environment = {**desk.environment, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "smplat.settings"}
    command = [sys.executable, "-W", "ignore", "-m", "bench.recording"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    bare, posted = map(float, result.stdout.split())
    return bare, posted


def medians(*calls: Callable[[], object], repeats: int = 31) -> list[float]:
    """Return the median seconds of each call, taken in turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, taken in zip(calls, times, strict=True):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]
