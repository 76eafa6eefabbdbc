"""CSV of everything: how soon it begins, what it costs, and what a reader who goes away leaves behind."""

import time
from collections.abc import Iterator

import httpx
import psutil

from bench.exporting import fill, psql_seconds
from bench.lists import medians
from bench.ratio import Ratio
from bench.reading import resident
from tests.e2e.desk import Desk, wait_for

_FEW, _ROWS, _BATCH = 250_000, 1_000_000, 1_000
_ROUTE = "/admin/reports/feeds/onboarding_segments/csv"
_ROUTES = {"by arrival": _ROUTE, "filtered": "/admin/onboarding/csv?status=running"}
_PAGE = "/admin/onboarding?status=running"
_STALL_SECONDS = 3.0
_BUSY = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid() AND query LIKE 'COPY%'
"""


def measure(desk: Desk) -> Iterator[Ratio]:
    """Time the filtered page over few rows and over many; then read everything, and leave a download."""
    operator = desk.operator()
    operator.headers["Accept-Encoding"] = "identity"
    fill(desk, _FEW)
    (few,) = medians(lambda: operator.get(_PAGE).raise_for_status(), repeats=11)
    fill(desk, _ROWS - _FEW)
    (many,) = medians(lambda: operator.get(_PAGE).raise_for_status(), repeats=11)
    detail = f"{many * 1000:.0f} ms over {_ROWS:,} rows, {few * 1000:.0f} ms over {_FEW:,}"
    yield Ratio("onboarding page, large / small table", many / few, 1.5, False, detail)
    for name, route in _ROUTES.items():
        yield from _everything(desk, operator, name, route)
    yield _against_psql(desk, operator)
    yield _abandoned(desk, operator)
    operator.close()


def _everything(desk: Desk, operator: httpx.Client, name: str, route: str) -> Iterator[Ratio]:
    """The time to the first row, and the growth of the web process, with a reader that stalls for a while."""
    operator.get(route, params={**httpx.URL(route).params, "rows": str(_BATCH)}).raise_for_status()
    web = [process for process in desk.processes() if "granian" in " ".join(process.cmdline())]
    before = peak = resident(web)
    rows, first_row, started = -1, 0.0, time.perf_counter()
    with operator.stream("GET", route, params={**httpx.URL(route).params, "rows": "all"}) as answer:
        for index, block in enumerate(answer.iter_bytes(262_144)):
            rows += block.count(b"\n")
            if rows > 0 and not first_row:
                first_row = time.perf_counter() - started
                time.sleep(_STALL_SECONDS)
            peak = max(peak, resident(web)) if index % 10 == 0 else peak
    assert rows == _ROWS, rows
    rate = _ROWS / (time.perf_counter() - started - _STALL_SECONDS)
    yield Ratio(f"seconds to the first row, everything {name}", first_row, 1, False, f"{rate:,.0f} rows/s")
    detail = f"{before / 1_048_576:.0f} MiB before, a stall of {_STALL_SECONDS:.0f} s included"
    yield Ratio(f"growth in MiB of the web process, everything {name}", (peak - before) / 1_048_576, 10, False, detail)


def _against_psql(desk: Desk, operator: httpx.Client) -> Ratio:
    """Everything by arrival over HTTP, in turns with psql."""
    path = desk.var_dir.parent / "psql.csv"
    theirs, ours = medians(lambda: psql_seconds(desk, path, "csv"), lambda: _download(operator), repeats=5)
    detail = f"{_ROWS / ours:,.0f} rows/s over HTTP, {_ROWS / theirs:,.0f} rows/s by psql"
    return Ratio(f"CSV page of {_ROWS:,} rows / psql", theirs / ours, 0.5, True, detail)


def _download(operator: httpx.Client) -> None:
    with operator.stream("GET", _ROUTE, params={"rows": "all"}) as answer:
        rows = sum(block.count(b"\n") for block in answer.iter_bytes(262_144)) - 1
    assert rows == _ROWS, rows


def _abandoned(desk: Desk, operator: httpx.Client) -> Ratio:
    """How many statements of a download go on after its reader has gone and the web process has come to rest."""
    with operator.stream("GET", _ROUTE, params={"rows": "all"}) as answer:
        next(answer.iter_bytes(262_144))
    web = [process for process in desk.processes() if "granian" in " ".join(process.cmdline())]
    wait_for(lambda: _busy_seconds(web) < 0.1, seconds=3)
    with desk.database() as session:
        (busy,) = session.execute(_BUSY).fetchone() or (0,)
    return Ratio("statements left by a reader who went away", busy, 0, False, "and the web process is at rest")


def _busy_seconds(processes: list[psutil.Process]) -> float:
    """Processor time that the processes take in half a second."""
    before = sum(sum(process.cpu_times()[:2]) for process in processes)
    time.sleep(0.5)
    return sum(sum(process.cpu_times()[:2]) for process in processes) - before
