"""What a polling exporter costs the writers of a feed, and what it loses: nothing, or the benchmark fails."""

import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator

from bench.ratio import Ratio
from tests import ROOT
from tests.e2e.desk import Desk

_SECONDS = 20.0
_WRITERS = 8
_INSERT = """INSERT INTO reporting_pricingexperimentsegment
(event_id, journey_id, order_id, slug, variant_key, is_control, status, recorded_at)
VALUES (%s, gen_random_uuid(), gen_random_uuid(), 'a', 'b', false, 'running', clock_timestamp())"""
_EXPORTER = """
import json, sys
import django
django.setup()
from reporting.exports import runs
from reporting.lake import storage
from reporting.feeds import FEEDS
from reporting.models import ExportRun
while True:
    is_last = bool(sys.stdin.readline() == "last\\n")
    run = runs.request_run(FEEDS["onboarding_segments"], ExportRun.Trigger.COMMAND)
    runs.perform(run)
    lines = b"".join(storage.read(run.object_uri)).splitlines() if run.object_uri else []
    print(run.state, *(json.loads(line)["eventId"] for line in lines), flush=True)
    if is_last:
        break
"""


def measure(desk: Desk) -> Iterator[Ratio]:
    """Time inserts without an exporter and with one that polls every 50 ms; check that every committed row arrived."""
    alone, before = _write(desk, None)
    exporter = _Exporter(desk)
    watched, during = _write(desk, exporter)
    delivered = exporter.finish()
    committed = before + during
    assert sorted(delivered) == sorted(committed), (len(delivered), len(committed))
    detail = f"{len(committed)} rows committed and delivered once; {watched * 1000:.2f} ms and {alone * 1000:.2f} ms"
    yield Ratio("insert latency with a polling exporter / without", watched / alone, 1.5, False, detail)


class _Exporter:
    """A process that exports whenever it is asked to."""

    def __init__(self, desk: Desk) -> None:
        environment = {**desk.environment, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "smplat.settings"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _EXPORTER],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._delivered: list[str] = []

    def poll(self, word: str = "go") -> None:
        """Export once, and remember what was delivered."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        state, *keys = self._process.stdout.readline().split()
        assert state in {"succeeded", "skipped"}, state
        self._delivered += keys

    def finish(self) -> list[str]:
        """Export the rest, end the process, and return the keys of everything that was delivered."""
        self.poll("last")
        self._process.wait(60)
        return self._delivered


def _write(desk: Desk, exporter: _Exporter | None) -> tuple[float, list[str]]:
    """Write from several sessions; return the median seconds of an INSERT, and the keys of what was committed."""
    times: list[float] = []
    committed: list[str] = []
    deadline = time.monotonic() + _SECONDS

    def write(seed: int) -> None:
        pause = 0.01 + 0.59 * seed / (_WRITERS - 1)
        with desk.database() as session:
            turn = 0
            while time.monotonic() < deadline:
                key = str(uuid.uuid4())
                started = time.perf_counter()
                session.execute(_INSERT, [key])
                times.append(time.perf_counter() - started)
                time.sleep(pause)
                turn += 1
                if turn % 5:
                    session.commit()
                    committed.append(key)
                else:
                    session.rollback()

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(_WRITERS)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if exporter is not None:
            exporter.poll()
        time.sleep(0.05)
    return statistics.median(times), committed
