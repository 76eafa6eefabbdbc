"""A desk with two web processes, and without Redis."""

import re
import subprocess
import sys

import httpx
import pytest

from tests import ROOT
from tests.e2e.desk import Desk, free_port, wait_for
from tests.factories import quick_order_event
from tests.http_client import HTTP


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("two") / "var", WEB_CONCURRENCY="2", TELEMETRY_THROTTLE="40")
    yield desk.start()
    desk.stop()


def accepted(desk: Desk) -> float:
    metrics = HTTP.get(f"{desk.url}/metrics").text
    found = re.search(r'^smplat_capture_events_total{outcome="accepted"} (\S+)$', metrics, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_they_share_the_throttle_and_the_metrics(desk):
    # A connection of its own for each request lets either process answer.
    statuses = [HTTP.post(f"{desk.url}/api/telemetry", json=quick_order_event()).status_code for _ in range(90)]

    # The counters start anew when the clock's minute turns, which may happen once on the way.
    assert statuses.count(202) in range(40, 81)
    assert statuses.count(429) == 90 - statuses.count(202)
    assert {accepted(desk) for _ in range(8)} == {float(statuses.count(202))}


@pytest.fixture(scope="module")
def capture_alone(desk):
    """The address of web processes beside the desk's that capture alone."""
    port = free_port()
    command = [sys.executable, "-m", "smplat", "capture", "--port", str(port)]
    # The limit is shared with the desk, whose test has used it up for this minute.
    environment = desk.environment | {"TELEMETRY_THROTTLE": "0"}
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: answers(url))
    yield url
    process.terminate()
    assert process.wait(30) == 0


def answers(url: str) -> bool:
    try:
        return HTTP.get(f"{url}/readyz").is_success
    except httpx.HTTPError:
        return False


class TestCaptureAlone:
    def test_it_stores_what_the_desk_serves(self, desk, capture_alone):
        event = quick_order_event()

        answer = HTTP.post(f"{capture_alone}/api/telemetry/quick-order", json=event)

        assert answer.status_code == 202
        with desk.client() as client:
            assert event["id"] in client.get("/api/telemetry/quick-order/export").text

    @pytest.mark.parametrize(
        "path", ["/", "/admin/reports", "/api/v1/reporting/guardrails/followups", "/api/telemetry/x"]
    )
    def test_it_serves_nothing_else(self, capture_alone, path):
        answer = HTTP.get(f"{capture_alone}{path}")

        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            "There is nothing here; this process captures alone.",
        )

    def test_a_bad_port_is_said(self, desk):
        command = [sys.executable, "-m", "smplat", "capture", "--port", "70000"]
        ended = subprocess.run(command, env=desk.environment, cwd=ROOT, capture_output=True, text=True, check=False)

        assert ended.returncode == 2
        assert "--port" in ended.stderr
