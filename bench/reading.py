"""Window export, summary and download: their time against the table's size, and the memory of the web process."""

import statistics
import time
from collections.abc import Callable, Iterator

import psutil

from bench.ratio import Ratio
from tests.e2e.desk import Desk, wait_for

_FEW, _MANY = 10_000, 1_000_000
_REPEATS = 15
_FILL = """
INSERT INTO {table} (event_id, recorded_at, metadata, event, {columns})
SELECT gen_random_uuid(), now(), jsonb_build_object('note', repeat('x', 200)),
  jsonb_build_object('id', number, 'name', '{name}', 'source', 'bench', 'guardrail', '{{}}'::jsonb), {values}
FROM generate_series(1, {rows}) AS number
"""
_TABLES = (
    ("telemetry_quickorderevent", "event_name", "'quick_order.start'", "quick_order.start"),
    (
        "telemetry_guardrailworkflowevent",
        "workflow_action, provider_id",
        "'note.update', 'p' || number % 50",
        "guardrail.workflow",
    ),
)
_ROUTES = (
    "/api/telemetry/quick-order/export",
    "/api/telemetry/guardrail-workflow/export",
    "/api/reporting/guardrail-workflow",
)


def measure(desk: Desk) -> Iterator[Ratio]:
    """Time each route over a small and over a large table, then download a large object."""
    with desk.client() as client:
        _fill(desk, _FEW)
        few = {route: _median(lambda route=route: client.get(route).raise_for_status()) for route in _ROUTES}
        _fill(desk, _MANY - _FEW)
        for route in _ROUTES:
            many = _median(lambda route=route: client.get(route).raise_for_status())
            detail = f"{many * 1000:.0f} ms over {_MANY:,} rows, {few[route] * 1000:.0f} ms over {_FEW:,}"
            yield Ratio(f"GET {route}, large / small table", many / few[route], 1.5, False, detail)
    yield _download_memory(desk)


def _fill(desk: Desk, rows: int) -> None:
    with desk.database() as session:
        session.autocommit = True
        for table, columns, values, name in _TABLES:
            session.execute(_FILL.format(table=table, columns=columns, values=values, name=name, rows=rows))
            session.execute(f"VACUUM ANALYZE {table}")


def _median(call: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _download_memory(desk: Desk) -> Ratio:
    """Growth of the web process over the download of an object of a million rows."""
    operator = desk.operator()
    run = desk.start_run(operator)
    wait_for(lambda: "desk-state-succeeded" in operator.get(run).text, seconds=600)
    operator.get("/api/reporting/guardrail-workflow-export")
    processes = [p for p in desk.processes() if "granian" in " ".join(p.cmdline())]
    before = resident(processes)
    size, peak = 0, before
    with operator.stream("GET", f"{run}/download") as answer:
        for index, chunk in enumerate(answer.iter_bytes(1_048_576)):
            size += len(chunk)
            peak = max(peak, resident(processes)) if index % 20 == 0 else peak
    operator.close()
    growth = (peak - before) / 1_048_576
    return Ratio("growth in MiB of the web process, download", growth, 10, False, f"{size / 1_048_576:.0f} MiB served")


def resident(processes: list[psutil.Process]) -> int:
    """Bytes of memory that the processes hold."""
    return sum(process.memory_info().rss for process in processes)
