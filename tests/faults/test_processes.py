"""A desk whose processes are killed or stopped: it comes back by itself, with all that it has acknowledged."""

import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from smplat import embedded
from tests import ROOT
from tests.e2e.desk import PROGRAMS, Desk, wait_for
from tests.factories import quick_order_event
from tests.http_client import HTTP


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A desk that runs through all tests of the module."""
    desk = Desk(tmp_path_factory.mktemp("faults") / "var").start()
    yield desk
    desk.stop()


def captured(desk: Desk) -> str | None:
    """Capture an event; return its id where it was acknowledged."""
    event = quick_order_event()
    try:
        answer = HTTP.post(f"{desk.url}/api/telemetry", json=event)
    except httpx.HTTPError:
        return None
    return event["id"] if answer.status_code == 202 else None


@contextmanager
def busy_clients(desk: Desk) -> Iterator[None]:
    """Clients that have the next request ready before the last one is answered, each on one connection."""
    is_over = threading.Event()

    def send() -> None:
        with httpx.Client(base_url=desk.url, timeout=30) as client:
            while not is_over.is_set():
                with suppress(httpx.HTTPError):
                    client.post("/api/telemetry", json=quick_order_event())

    with ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(send)
        try:
            yield
        finally:
            is_over.set()


def stored(desk: Desk) -> set[str]:
    """The ids of all events that the database holds."""
    with desk.database() as session:
        return {str(row[0]) for row in session.execute("SELECT event_id FROM telemetry_quickorderevent")}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT], ids=["kill -9", "stop -m immediate"])
def test_the_database_is_started_again_and_holds_what_was_acknowledged(desk, number):
    acknowledged = {captured(desk) for _ in range(20)}
    fallen = desk.postmaster()

    fallen.send_signal(number)
    fallen.wait(30)
    acknowledged.add(wait_for(lambda: captured(desk), 60))

    assert acknowledged <= stored(desk)
    wait_for(lambda: HTTP.get(f"{desk.url}/readyz").is_success, 60)


def test_programs_that_do_not_answer_are_replaced(desk):
    stopped = {name: process for name in PROGRAMS if (process := desk.program(name))}
    assert len(stopped) == 4
    for process in stopped.values():
        for part in (process, *process.children(recursive=True)):
            part.suspend()

    def are_replaced() -> bool:
        return all((found := desk.program(name)) and found != process for name, process in stopped.items())

    wait_for(are_replaced, 120)
    wait_for(lambda: captured(desk), 60)
    heartbeat = Path(desk.var_dir, "beat.heartbeat")
    before = heartbeat.stat().st_mtime
    wait_for(lambda: heartbeat.stat().st_mtime > before, 60)


def test_a_second_scheduler_on_the_database_is_noticed_and_said(desk, tmp_path):
    def schedulers() -> str:
        figures = HTTP.get(f"{desk.url}/metrics").text.splitlines()
        return " ".join(line for line in figures if line.startswith(("smplat_schedulers ", "smplat_lakes ")))

    wait_for(lambda: schedulers() == "smplat_schedulers 1.0 smplat_lakes 1.0", 60)
    other = {"VAR_DIR": str(tmp_path), "DATABASE_URL": embedded.url(desk.var_dir), "SECRET_KEY": secrets.token_hex(32)}
    command = [sys.executable, "-m", "celery", "-A", "smplat", "beat", "--pidfile=", "--loglevel", "WARNING"]
    said = tmp_path / "said.txt"
    with (
        said.open("w") as log,
        subprocess.Popen(command, env=desk.environment | other, cwd=ROOT, stdout=log, stderr=log) as second,
    ):
        try:
            wait_for(lambda: schedulers() == "smplat_schedulers 2.0 smplat_lakes 2.0", 60)
            wait_for(lambda: "2 schedulers run on this database" in said.read_text(), 60)
            with closing(desk.operator()) as operator:
                wait_for(lambda: "2 schedulers run on this database" in operator.get("/admin/reports/verdict").text, 60)
        finally:
            second.terminate()


def test_nothing_outlives_a_launcher_that_is_killed_and_the_next_one_starts_at_once(desk):
    programs = [process for name in PROGRAMS if (process := desk.program(name))]
    programs += [part for process in programs for part in process.children(recursive=True)]
    acknowledged = captured(desk)

    with busy_clients(desk):
        desk.process.kill()
        desk.process.wait(30)
        desk.start()
        gone, alive = psutil.wait_procs(programs, timeout=60)

    assert alive == []
    assert len(gone) >= 5
    assert acknowledged in stored(desk)
    assert captured(desk)
