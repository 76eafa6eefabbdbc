"""The real storefront's bodies, posted as it posts them: each alone, by many clients, quick orders to both routes."""

import json
import threading
from pathlib import Path

import pytest
from django.db import connection
from rest_framework.test import APIClient

import smplat.demo

SAMPLES = Path(smplat.demo.__file__).with_name("telemetry-events.ndjson")
EXPORTS = {
    "quick_order.": ("/api/telemetry/quick-order/export", "X-Quick-Order-Events"),
    "guardrail.workflow": ("/api/telemetry/guardrail-workflow/export", "X-Guardrail-Workflow-Events"),
}


@pytest.mark.django_db(transaction=True)
def test_the_exports_hold_each_distinct_event_once(api):
    bodies = SAMPLES.read_text(encoding="utf-8").splitlines()
    assert len(bodies) == 119
    statuses: list[int] = []

    def client() -> None:
        for body in bodies:
            routes = ["/api/telemetry"] + ["/api/telemetry/quick-order"] * ('"quick_order.' in body)
            for route in routes:
                statuses.append(APIClient().generic("POST", route, body, content_type="application/json").status_code)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(statuses) == {202}
    for prefix, (route, header) in EXPORTS.items():
        sent = {event["id"] for event in map(json.loads, bodies) if event["name"].startswith(prefix)}
        answer = api.get(route)
        exported = [json.loads(line)["id"] for line in answer.getvalue().splitlines()]
        assert sorted(exported) == sorted(sent)
        assert int(answer[header]) == len(sent)
