"""The fuzzer finds what it looks for: each fault of a server that has them all."""

import subprocess
import sys

import psutil
import pytest

from tests import ROOT
from tests.fuzz import verdicts
from tests.fuzz.report import failures, report
from tests.fuzz.requests import Access, Planted, Request
from tests.fuzz.running import Outcome, Plan, Run
from tests.fuzz.verdicts import growth, leaks

MIB = 1_048_576


@pytest.fixture(scope="module")
def server():
    """The process of the bad server, and what opens it."""
    command = [sys.executable, "-m", "tests.fuzz.bad_server"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        yield psutil.Process(process.pid), Access("key", "session", "token", "whsec_AAAA", f"http://127.0.0.1:{port}")
        process.kill()


def run(server, path: str, requests: int = 20, **changes) -> Outcome:
    process, access = server

    def make(number: int) -> Request:
        return Request(f"GET {path}", "GET", path, **changes)

    return Run(Plan(1, requests), access, make, memory=lambda: process.memory_info().rss).carry_out()


@pytest.mark.parametrize(
    ("path", "problem"),
    [("/api/broken", "status 500"), ("/api/html", "HTML from the API"), ("/api/gone", "no answer")],
)
def test_each_bad_answer_is_found(server, path, problem):
    outcome = run(server, path)

    assert outcome.counts == {(f"GET {path}", problem): 20}
    assert "20 failed" in report(Plan(1, 20), outcome)


@pytest.mark.parametrize("path", ["/api/well", "/admin/html"])
def test_nothing_is_found_where_nothing_is_wrong(server, path):
    outcome = run(server, path)

    assert (outcome.sent, outcome.counts, outcome.statuses) == (20, {}, {(f"GET {path}", 2): 20})
    assert not leaks(outcome.memory)


def test_an_answer_that_is_slow_each_time_is_found(server, monkeypatch):
    monkeypatch.setattr(verdicts, "MAX_SECONDS", 0.25)

    assert run(server, "/api/slow", 1).counts == {("GET /api/slow", verdicts.SLOW): 1}


def test_an_answer_that_was_slow_once_is_not_called_slow(server, monkeypatch):
    monkeypatch.setattr(verdicts, "MAX_SECONDS", 0.25)
    outcome = run(server, "/api/slow-once", 1)

    assert outcome.slowest[0][0] > 0.25
    assert outcome.counts == {}


def test_a_leak_is_found(server):
    assert leaks(run(server, "/api/leak", 400).memory)


def test_what_fails_is_cut_down_to_what_still_fails(server):
    headers = (("Content-Type", "text/plain"), ("X-More", "more"))
    outcome = run(server, "/api/mark", query=(("a", "b"), ("c", "d")), headers=headers, body=b"a long body! " * 50)
    smallest = outcome.failures["GET /api/mark", "status 500"]

    assert (smallest.query, smallest.headers, smallest.body) == ((), (), b"!")


def test_what_fails_is_printed_as_a_command(server):
    outcome = Outcome()
    planted = Planted("/lake/a.json", b"{'\n")
    outcome.fail(Request("POST /api", "POST", "/api", body=b"a'%\xff", who="key", planted=planted), "status 500")

    printed = failures(outcome, server[1])

    assert "printf '{\\047\\012' > /lake/a.json" in printed
    assert "printf 'a\\047\\045\\377' | curl -isS -X POST" in printed
    assert "-H 'X-API-Key: key' --data-binary @- http://127.0.0.1" in printed


class TestGrowth:
    def test_a_start_that_fills_caches_is_no_growth(self):
        samples = [(number, min(number, 100) * MIB) for number in range(400)]

        assert abs(growth(samples)) < MIB
        assert not leaks(samples)

    def test_noise_is_no_growth(self):
        assert not leaks([(number, (200 + number % 2 * 40) * MIB) for number in range(200)])

    def test_a_slope_is_growth(self):
        assert leaks([(number, 200 * MIB + number * MIB // 2) for number in range(200)])
