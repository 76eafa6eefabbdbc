"""Answers that depend on who asks are kept by no cache."""

import pytest


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/reporting/onboarding/experiment-events",
        "/api/v1/reporting/onboarding/experiment-conversions",
        "/api/v1/reporting/guardrails/followups",
        "/api/reporting/guardrail-workflow",
        "/api/telemetry/quick-order/export",
    ],
)
def test_a_keyed_read_stays_out_of_caches(api, stranger, path):
    for answer in (api.get(path), stranger.get(path)):
        assert answer["Cache-Control"] == "no-store"
        assert "X-API-Key" in answer["Vary"]


@pytest.mark.django_db
def test_the_description_of_the_api_may_be_kept(client):
    answer = client.get("/api/schema/")

    assert "no-store" not in answer.get("Cache-Control", "")
    assert "X-API-Key" not in answer.get("Vary", "")


@pytest.mark.parametrize("host", ["[::1]", "[::1]:8000", "127.0.0.1:8000", "localhost"])
def test_the_names_of_this_machine_are_hosts(client, host):
    assert client.get("/healthz", headers={"Host": host}).status_code == 200
