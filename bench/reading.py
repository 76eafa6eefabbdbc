"""Windows, summary and download: time against bare SQL and the size of the table, and memory of the web process."""

import json
import statistics
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import psycopg

from bench.lists import medians
from bench.ratio import Ratio
from reporting.feeds import FEEDS, Feed
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
_WINDOWS = {
    "quick_order": "/api/telemetry/quick-order/export",
    "guardrail_workflow": "/api/telemetry/guardrail-workflow/export",
}
_ROUTES = (*_WINDOWS.values(), "/api/reporting/guardrail-workflow")


def measure(desk: Desk) -> Iterator[Ratio]:
    """Time each route over a small and over a large table, windows against bare SQL, and download a large object."""
    with desk.client() as client:
        client.headers["Accept-Encoding"] = "identity"
        _fill(desk, _FEW)
        few = {route: _median(lambda route=route: client.get(route).raise_for_status()) for route in _ROUTES}
        _fill(desk, _MANY - _FEW)
        for route in _ROUTES:
            many = _median(lambda route=route: client.get(route).raise_for_status())
            detail = f"{many * 1000:.0f} ms over {_MANY:,} rows, {few[route] * 1000:.0f} ms over {_FEW:,}"
            yield Ratio(f"GET {route}, large / small table", many / few[route], 1.5, False, detail)
        with desk.database() as session:
            session.autocommit = True
            for key, route in _WINDOWS.items():
                yield from _window(client, session, FEEDS[key], route)
    yield _download_memory(desk)


def _window(client: httpx.Client, session: psycopg.Connection, feed: Feed, route: str) -> Iterator[Ratio]:
    """A window, whole, unchanged and compressed, in turns with its bare SQL."""
    values = [f"{name} -> '{key}'" if key else name for name, _, key in (f.source.partition("__") for f in feed.wire)]
    table, paths = feed.model.lower().replace(".", "_"), [field.path for field in feed.wire]
    query = f"SELECT {', '.join(values)} FROM {table} ORDER BY position DESC LIMIT {feed.window}"
    tag = client.get(route).headers["ETag"]
    bare, whole, unchanged, compressed = medians(
        lambda: [
            json.dumps(dict(zip(paths, row, strict=True)), default=str)
            for row in reversed(session.execute(query).fetchall())
        ],
        lambda: client.get(route).raise_for_status(),
        lambda: client.get(route, headers={"If-None-Match": tag}),
        lambda: _read_raw(client, route),
        repeats=_REPEATS,
    )
    detail = f"{whole * 1000:.1f} ms over HTTP, {bare * 1000:.1f} ms bare"
    yield Ratio(f"window of {feed.window:,}, {feed.key} / bare SQL and json.dumps", whole / bare, 1.5, False, detail)
    yield Ratio(f"304 / window, {feed.key}", unchanged / whole, 0.5, False, f"{unchanged * 1000:.1f} ms")
    yield Ratio(f"zstd / window as it is, {feed.key}", compressed / whole, 1.5, False, f"{compressed * 1000:.1f} ms")


def _read_raw(client: httpx.Client, route: str) -> None:
    with client.stream("GET", route, headers={"Accept-Encoding": "zstd"}) as answer:
        assert answer.headers["Content-Encoding"] == "zstd"
        for _ in answer.iter_raw():
            pass


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
    operator.headers["Accept-Encoding"] = "identity"
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
