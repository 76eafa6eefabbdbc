"""Forwarding of captured bodies to the analytics endpoint."""

import http.server
import json
import threading

import httpx
import pytest

from telemetry import forwarding
from tests.factories import quick_order_event


@pytest.fixture
def endpoint():
    """A small HTTP server that records bodies and answers with the status in ``endpoint.status``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.received.append((self.headers["Content-Type"], content))
            self.send_response(self.server.status)
            self.send_header("Location", "ftp://127.0.0.1/")
            self.end_headers()

        def log_message(self, *args):
            """Stay silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.received, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def forwarded(settings, endpoint, eager_tasks):
    """Run queued forwards at once, as the worker would a moment later."""
    settings.TELEMETRY_ENDPOINT = f"http://127.0.0.1:{endpoint.server_port}/events"
    return endpoint


@pytest.mark.django_db
def test_the_whole_body_goes_on_with_its_content_type(stranger, forwarded):
    body = json.dumps([quick_order_event(), quick_order_event(name="experiment.exposure")])

    stranger.generic("POST", "/api/telemetry", body, content_type="text/plain")

    assert forwarded.received == [("text/plain", body.encode())]


@pytest.mark.django_db
def test_the_quick_order_route_does_not_forward_its_copies(stranger, forwarded):
    stranger.post("/api/telemetry/quick-order", quick_order_event(), format="json")

    assert forwarded.received == []


@pytest.mark.django_db
@pytest.mark.usefixtures("forwarded")
def test_an_unreachable_broker_does_not_fail_the_capture(stranger, monkeypatch, caplog):
    from telemetry.tasks import forward

    def fail(*args):
        raise OSError("no space left")

    monkeypatch.setattr(forward, "delay", fail)

    assert stranger.post("/api/telemetry", quick_order_event(), format="json").status_code == 202
    assert "broker" in caplog.text


@pytest.mark.parametrize("status", [302, 400, 500])
def test_a_refusal_or_a_redirect_is_an_error_that_the_task_retries(settings, endpoint, status):
    settings.TELEMETRY_ENDPOINT = f"http://127.0.0.1:{endpoint.server_port}/events"
    endpoint.status = status

    with pytest.raises(httpx.HTTPError):
        forwarding.send(b"{}", "application/json")
    assert len(endpoint.received) == 1
