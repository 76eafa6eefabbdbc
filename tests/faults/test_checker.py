"""The checker sees what it is there to see, its proxy spoils what it says, and one minute of faults loses nothing."""

import os
import re
import socket
import subprocess
import sys
import time
from functools import partial
from itertools import islice
from typing import Any

import httpx
import pytest

from tests import ROOT
from tests.fakes import fake_server
from tests.faults.checker import clock
from tests.faults.checker.check import lost, problems
from tests.faults.checker.history import Attempt, Injection, Outcome, during
from tests.faults.checker.nemesis import Fault, drawn
from tests.faults.checker.observed import Observed, merge
from tests.faults.checker.proxy import Mode, Proxy
from tests.http_client import HTTP
from tests.redis_server import redis_executable

FEED = "quick_order"
#: Begins with a full disk, the web server killed, the database stopped, and answers of the webhook cut off.
SEED = 3788


def attempt(*tokens: str, outcome: Outcome = Outcome.ACKNOWLEDGED, begun: float = 0.0, ended: float = 0.1) -> Attempt:
    return Attempt(FEED, tokens, outcome, "202", begun, ended)


def observed(*tokens: str, **changes) -> Observed:
    """A feed of which all is well, unless ``changes`` say otherwise."""
    values: dict[str, Any] = {
        "stored": [(token, token) for token in tokens],
        "lake": merge([[(token, b"row") for token in tokens]]),
        "warehouse": list(tokens),
        "parity": {"missing": 0},
        "moves": [(1, 1)],
        "webhook": list(tokens),
    }
    return Observed(**values | changes)


def found(attempts: list[Attempt], seen: Observed) -> list[str]:
    return problems(attempts, {FEED: seen})


class TestWhatTheCheckerSees:
    def test_it_finds_nothing_where_all_is_well(self):
        attempts = [attempt("a", "b"), attempt("c", outcome=Outcome.UNKNOWN), attempt("d", outcome=Outcome.UNKNOWN)]

        assert found(attempts, observed("a", "b", "c")) == []

    def test_a_row_that_was_acknowledged_and_is_gone(self):
        seen = observed("a")

        assert found([attempt("a", "b")], seen) == [f"{FEED}: 1 rows were acknowledged and are not stored: b"]
        assert lost([attempt("a", "b")], FEED, seen) == {"b"}

    def test_what_is_unknown_is_not_lost(self):
        assert found([attempt("a", outcome=Outcome.UNKNOWN)], observed()) == []

    def test_an_acknowledgement_counts_whatever_was_answered_before_and_after(self):
        others = [attempt("a", outcome=Outcome.UNKNOWN), attempt("a"), attempt("a", outcome=Outcome.REFUSED)]

        assert lost(others, FEED, observed()) == {"a"}

    def test_a_row_that_is_stored_twice(self):
        seen = observed("a", stored=[("key 1", "a"), ("key 2", "a")], lake=merge([[("key 1", b"1"), ("key 2", b"2")]]))
        seen.warehouse = seen.webhook = ["key 1", "key 2"]

        assert found([attempt("a")], seen) == [f"{FEED}: 1 rows are stored more than once: a"]

    @pytest.mark.parametrize("attempts", [[], [attempt("a", outcome=Outcome.REFUSED)]], ids=["never sent", "refused"])
    def test_a_row_that_nobody_can_have_stored(self, attempts):
        assert found(attempts, observed("a")) == [f"{FEED}: 1 rows are stored that were refused or never sent: a"]

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"lake": merge([[("a", b"row")]])}, "1 rows are stored and not in the lake: b"),
            ({"lake": merge([[(key, b"row") for key in "abc"]])}, "1 rows are in the lake and not stored: c"),
            ({"lake": merge([[(key, b"row") for key in "aba"]])}, "1 rows lie twice in one file: a"),
            ({"lake": merge([[("a", b"1"), ("b", b"1")], [("a", b"2")]])}, "1 rows differ between two files: a"),
            ({"warehouse": ["a"]}, "1 rows are stored and not in the warehouse: b"),
            ({"warehouse": ["a", "b", "b"]}, "1 rows are in the warehouse more than once: b"),
            ({"webhook": ["b"]}, "1 rows never reached the webhook: a"),
            ({"ledger": 3}, "the ledger leaves 3 over"),
            ({"parity": {"changed": 2, "extra": 0}}, "parity counts 2 changed rows"),
            ({"moves": [(1, 1), (9, 7)]}, "a checkpoint moved to 9, and its file ends at 7"),
            ({"moves": [(9, None)]}, "a checkpoint moved to 9 without a file in the lake"),
        ],
    )
    def test_each_place_where_rows_can_go_missing_or_double(self, changes, sentence):
        assert found([attempt("a", "b")], observed("a", "b", **changes)) == [f"{FEED}: {sentence}"]

    def test_a_row_that_comes_again_unchanged_is_in_order(self):
        lake = merge([[("a", b"row")], [("a", b"row"), ("b", b"row")]])

        assert lake.replayed == 1
        assert found([attempt("a", "b")], observed("a", "b", lake=lake)) == []


class TestTheSchedule:
    FAULTS = [Fault(name, name.lower(), lambda: None) for name in "aAbBcdef"]

    def names(self, seed: int, count: int) -> list[tuple[str, float]]:
        return [(fault.name, seconds) for fault, seconds in islice(drawn(seed, self.FAULTS), count)]

    def test_a_seed_stands_for_one_schedule(self):
        assert self.names(1, 20) == self.names(1, 20)
        assert self.names(1, 20) != self.names(2, 20)

    def test_each_fault_comes_alone_and_then_in_pairs_of_different_parts(self):
        names = [name for name, _ in self.names(3, 20)]

        assert sorted(names[:8]) == sorted("aAbBcdef")
        pairs = [name.lower().split(", and ") for name in names if ", and " in name]
        assert len(pairs) >= 4
        assert all(one != other for one, other in pairs)

    def test_a_pair_begins_and_heals_both(self):
        done: list[str] = []
        made = [Fault(name, name, partial(done.append, f"{name}+"), partial(done.append, f"{name}-")) for name in "ab"]

        pair = next(fault for fault, _ in drawn(0, made) if "and" in fault.name)
        pair.begin()
        assert pair.heal is not None
        pair.heal()

        assert sorted(done[:2]) == ["a+", "b+"]
        assert sorted(done[2:]) == ["a-", "b-"]

    def test_a_fault_has_met_what_was_under_way_between_its_begin_and_the_recovery(self):
        injection = Injection("fault", begun=10, healed=12, recovery={"capture": 1.0, "exports": 3.0})
        before, across, after = attempt("a", ended=9), attempt("b", begun=9, ended=11), attempt("c", begun=16, ended=17)

        assert during(injection, [before, across, after]) == [across]


class TestTheClock:
    NOW = "from django.utils import timezone; import time; print(timezone.now().timestamp(), time.time())"

    def test_processes_read_it_and_it_can_be_stepped(self, tmp_path):
        clock.step(tmp_path / "clock", -3_600)
        before = time.time()

        read = subprocess.run(
            [sys.executable, "-c", f"from tests.faults.checker import clock; clock.install(); {self.NOW}"],
            cwd=ROOT,
            env=os.environ | {clock.VARIABLE: str(tmp_path / "clock")},
            capture_output=True,
            text=True,
            check=True,
        )

        assert [float(at) - before for at in read.stdout.split()] == pytest.approx([-3_600, -3_600], abs=60)


class TestTheProxy:
    @pytest.fixture
    def proxied(self):
        with fake_server() as server:
            proxy = Proxy(server.server_port)
            yield proxy
            proxy.close()

    def get(self, proxy: Proxy) -> httpx.Response:
        return HTTP.get(f"http://127.0.0.1:{proxy.port}/", timeout=0.5)

    def test_it_passes_on_what_it_is_not_told_to_spoil(self, proxied):
        assert self.get(proxied).text == "ok"

    @pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.HANG, Mode.TRUNCATE])
    def test_it_spoils_connections_and_lets_them_be_again(self, proxied, mode):
        proxied.set(mode)
        with pytest.raises(httpx.TransportError):
            self.get(proxied)

        proxied.set(Mode.PASS)
        assert self.get(proxied).text == "ok"

    @pytest.mark.parametrize("mode", [Mode.FORBIDDEN, Mode.TOO_MANY, Mode.BROKEN, Mode.UNAVAILABLE])
    def test_it_answers_in_the_place_of_a_server(self, proxied, mode):
        proxied.set(mode)

        assert str(self.get(proxied).status_code) == mode

    def test_it_lets_through_a_byte_at_a_time(self, proxied):
        proxied.set(Mode.DRIP)

        with socket.create_connection(("127.0.0.1", proxied.port), timeout=5) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert [client.recv(100) for _ in "HTTP"] == [b"H", b"T", b"T", b"P"]

    def test_what_hung_stays_silent_when_others_are_served_again(self, proxied):
        with socket.create_connection(("127.0.0.1", proxied.port), timeout=0.5) as client:
            proxied.set(Mode.HANG)
            proxied.set(Mode.PASS)
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")

            with pytest.raises(TimeoutError):
                client.recv(1)


@pytest.mark.redis
def test_a_minute_of_faults_loses_nothing(tmp_path):
    if redis_executable() is None and not os.environ.get("REQUIRE_REDIS"):
        pytest.skip("there is no redis-server")
    page = tmp_path / "reliability.md"
    arguments = ["--minutes", "1", "--seed", str(SEED), "--report", str(page), "--folder", str(tmp_path / "run")]

    run = subprocess.run(
        [sys.executable, "-m", "tests.faults.checker", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )

    assert run.returncode == 0, run.stderr
    text = page.read_text()
    assert "**Nothing was lost.**" in text
    assert len(re.findall(r"^\| .* \| 1 \| 0 \|", text, re.MULTILINE)) >= 2
