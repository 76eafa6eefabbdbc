"""A desk on Redis instead of the filesystem's broker and the process's counters."""

import os
from contextlib import closing

import pytest
import redis

from tests.e2e.desk import Desk, wait_for
from tests.factories import quick_order_event
from tests.http_client import HTTP
from tests.redis_server import redis_executable, redis_server

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    """The URL of a Redis server; without a binary the test is skipped, or fails where REQUIRE_REDIS is set."""
    executable = redis_executable()
    if executable is None:
        if os.environ.get("REQUIRE_REDIS"):
            pytest.fail("REQUIRE_REDIS is set, and there is no redis-server")
        pytest.skip("there is no redis-server")
    with redis_server(executable, tmp_path_factory.mktemp("redis")) as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture(scope="module")
def desk(redis_url, tmp_path_factory):
    """A desk with two web processes, a limit of five captures a minute, and Redis."""
    folder = tmp_path_factory.mktemp("desk-on-redis") / "var"
    desk = Desk(folder, REDIS_URL=redis_url, WEB_CONCURRENCY="2", TELEMETRY_THROTTLE="5")
    yield desk.start()
    desk.stop()


def test_the_worker_takes_runs_from_redis(desk):
    HTTP.post(f"{desk.url}/api/telemetry", json=quick_order_event()).raise_for_status()
    with closing(desk.operator()) as operator:
        run = desk.start_run(operator)
        wait_for(lambda: "desk-state-succeeded" in operator.get(run).text)


def test_two_web_processes_share_the_throttle(desk):
    def statuses() -> list[int]:
        # A connection of its own for each request lets either process answer.
        return [HTTP.post(f"{desk.url}/api/telemetry", json=quick_order_event()).status_code for _ in range(12)]

    first = statuses()

    # The counters start anew when the clock's minute turns, which may happen once on the way.
    assert 429 in first
    assert first.count(202) <= 10


def test_the_metrics_tell_of_all_web_processes(desk):
    def accepted() -> set[str]:
        texts = [HTTP.get(f"{desk.url}/metrics").text for _ in range(6)]
        return {line for text in texts for line in text.splitlines() if 'outcome="accepted"' in line}

    assert len(accepted()) == 1


def test_readiness_names_redis_when_it_is_gone(desk, redis_url):
    assert HTTP.get(f"{desk.url}/readyz").json()["broker"] == "ok"
    redis.Redis.from_url(redis_url).shutdown(nosave=True)

    def answer() -> tuple[int, str]:
        given = HTTP.get(f"{desk.url}/readyz")
        return given.status_code, given.json()["broker"]

    # What was found may be five seconds old, in each of the web processes.
    wait_for(lambda: answer() == (503, "failed"))


def test_capture_goes_on_without_redis(desk):
    assert HTTP.post(f"{desk.url}/api/telemetry", json=quick_order_event()).status_code == 202
