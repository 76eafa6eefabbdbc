"""A desk that gets hostile requests: from its OpenAPI document, with all of schemathesis' checks, and our grammars."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.report import failures
from tests.fuzz.running import Plan, Run, made
from tests.fuzz.target import SECRET, target
from tests.fuzz.verdicts import growth, leaks

CONFIG = Path(__file__).with_name("schemathesis.toml")
PLAN = Plan(seed=10, requests=5_000)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with target(tmp_path_factory.mktemp("fuzzed") / "var", PLAN.seed) as desk:
        yield desk


def test_no_request_from_the_schema_fails_a_check(desk):
    keys = {"FUZZ_API_KEY": desk.access.api_key, "FUZZ_SESSION": desk.access.session, "FUZZ_SECRET": SECRET}

    fuzzing = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", f"{desk.desk.url}/api/schema/"],
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        check=False,
    )

    assert fuzzing.returncode == 0, fuzzing.stdout + fuzzing.stderr


def test_no_hostile_request_is_answered_badly_and_memory_is_flat(desk):
    run = Run(PLAN, desk.access, lambda number: made(PLAN.seed, number, desk.known), desk.plant, desk.memory)

    outcome = run.carry_out()

    assert outcome.counts == {}, failures(outcome, desk.access)
    assert outcome.sent == PLAN.requests
    assert not leaks(outcome.memory), f"{growth(outcome.memory):,.0f} bytes"
    assert not desk.has_lost_processes()
    # A route that only ever refuses was not tried.
    of_the_api = {route for route, _ in outcome.statuses if " /api/" in route and "…" not in route}
    assert [route for route in sorted(of_the_api) if not outcome.statuses[route, 2]] == []
