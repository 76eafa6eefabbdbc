"""Forwarding of captured bodies to the analytics endpoint."""

import json

import pytest

from telemetry import forwarding
from tests.factories import quick_order_event
from tests.fakes import Reply, fake_server


@pytest.fixture
def endpoint(settings):
    """The analytics endpoint, to which the settings point."""
    with fake_server() as server:
        settings.TELEMETRY_ENDPOINT = f"{server.url}/events"
        yield server


@pytest.fixture
def forwarded(endpoint, eager_tasks):
    """The endpoint, to which queued bodies go at once, as from the worker a moment later."""
    return endpoint


@pytest.mark.django_db
def test_the_whole_body_goes_on_with_its_content_type(stranger, forwarded):
    body = json.dumps([quick_order_event(), quick_order_event(name="experiment.exposure")])

    stranger.generic("POST", "/api/telemetry", body, content_type="text/plain")

    assert [(heard.headers["Content-Type"], heard.body) for heard in forwarded.heard] == [("text/plain", body.encode())]


@pytest.mark.django_db
def test_the_quick_order_route_does_not_forward_its_copies(stranger, forwarded):
    answer = stranger.post("/api/telemetry/quick-order", quick_order_event(), format="json")

    assert answer.json()["accepted"] == 1
    assert forwarded.heard == []


@pytest.mark.django_db
@pytest.mark.usefixtures("forwarded")
def test_an_unreachable_broker_does_not_fail_the_capture(stranger, monkeypatch, caplog):
    from telemetry.tasks import forward

    def fail(*args, **options):
        raise OSError("no space left")

    monkeypatch.setattr(forward, "apply_async", fail)

    assert stranger.post("/api/telemetry", quick_order_event(), format="json").status_code == 202
    assert "broker" in caplog.text


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_answer_that_may_change_is_tried_again(endpoint, status):
    endpoint.usual = Reply(status, headers={"Location": "ftp://127.0.0.1/"})

    with pytest.raises(forwarding.RetryableError, match=str(status)):
        forwarding.send(b"{}", "application/json")


@pytest.mark.parametrize("status", [302, 400, 404])
def test_a_refusal_or_a_redirect_is_given_up_at_once(endpoint, status, caplog):
    endpoint.usual = Reply(status, headers={"Location": "ftp://127.0.0.1/"})

    forwarding.send(b"{}", "application/json")

    assert len(endpoint.heard) == 1
    assert f"answered {status}" in caplog.text


def test_an_endpoint_that_is_not_there_is_tried_again(settings):
    settings.TELEMETRY_ENDPOINT = "http://127.0.0.1:9/"

    with pytest.raises(forwarding.RetryableError, match="ConnectError"):
        forwarding.send(b"{}", "application/json")
