"""A desk with two web processes, and without Redis."""

import re

import httpx
import pytest

from tests.e2e.desk import Desk
from tests.factories import quick_order_event


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    desk = Desk(tmp_path_factory.mktemp("two") / "var", WEB_CONCURRENCY="2", TELEMETRY_THROTTLE="40")
    yield desk.start()
    desk.stop()


def accepted(desk: Desk) -> float:
    metrics = httpx.get(f"{desk.url}/metrics").text
    found = re.search(r'^smplat_capture_events_total{outcome="accepted"} (\S+)$', metrics, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_they_share_the_throttle_and_the_metrics(desk):
    # A connection of its own for each request lets either process answer.
    statuses = [httpx.post(f"{desk.url}/api/telemetry", json=quick_order_event()).status_code for _ in range(90)]

    # The counters start anew when the clock's minute turns, which may happen once on the way.
    assert statuses.count(202) in range(40, 81)
    assert statuses.count(429) == 90 - statuses.count(202)
    assert {accepted(desk) for _ in range(8)} == {float(statuses.count(202))}
