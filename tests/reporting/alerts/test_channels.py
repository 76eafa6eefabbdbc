"""What a channel sends, and what it says of servers that refuse, hang or are away."""

import json
import socket

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from reporting.alerts.channels import channels, name_of
from smplat.lib import signing
from tests.fakes import FakeServer, Reply, closed_port_url, dripping, fake_server, tcp_server

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DOCUMENT = {"event": "began", "at": "2026-12-01T00:00:00.000000Z", "finding": None}


@pytest.fixture
def server():
    with fake_server() as found:
        yield found


def send(url: str, timeout: float = 10) -> str:
    with override_settings(ALERT_URLS=[url], SLACK_WEBHOOK_URL=""):
        (channel,) = channels().values()
    return channel("Failed run: Quick-order", "It <b> failed.", DOCUMENT, timeout)


class TestWebhook:
    def test_it_carries_the_finding_and_a_signature(self, server: FakeServer, settings):
        settings.ALERT_WEBHOOK_SECRETS = [SECRET]

        assert send(f"{server.url}/hook") == ""

        (heard,) = server.heard
        assert json.loads(heard.body) == {"subject": "Failed run: Quick-order", "text": "It <b> failed.", **DOCUMENT}
        headers = {name.lower(): value for name, value in heard.headers.items()}
        assert signing.verify(heard.body, headers, [SECRET])

    @pytest.mark.parametrize("status", [301, 404, 500])
    def test_a_refusal_is_named(self, server, status):
        server.usual = Reply(status)

        assert send(server.url) == f"The address answered {status}."

    def test_one_that_is_away_or_drips_is_named_within_its_time(self):
        assert send(closed_port_url()) == "The address could not be reached (ConnectError)."
        with tcp_server(dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")) as address:
            assert send(f"http://{address}/hook", timeout=0.5) == "The address could not be reached (ReadTimeout)."


class TestSlack:
    def test_what_the_text_says_is_escaped(self, server, settings):
        settings.ALERT_URLS, settings.SLACK_WEBHOOK_URL = [], f"{server.url}/hook"

        assert channels()["Slack"]("Failed run", "It <!channel> failed.", DOCUMENT, 10) == ""

        assert server.texts == ["*Failed run*\nIt &lt;!channel&gt; failed."]


class TestMail:
    def test_a_server_that_is_away_is_named(self, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            settings.EMAIL_HOST, settings.EMAIL_PORT = unused.getsockname()

            problem = send("mailto:ops@shop.example")

        assert problem == "The mail server did not take the message (ConnectionRefusedError)."


class TestService:
    def test_it_speaks_what_apprise_speaks(self, server):
        assert send(server.url.replace("http://", "json://")) == ""

        (heard,) = server.heard
        assert json.loads(heard.body)["message"] == "It <b> failed."

    def test_a_service_that_refuses_or_hangs_is_named_within_its_time(self, server):
        server.usual = Reply(500)
        assert send(server.url.replace("http://", "json://")) == "The service did not take the message."

        server.gate.clear()
        assert send(server.url.replace("http://", "json://"), timeout=0.5) == "No answer within 0 s."
        assert send(server.url.replace("http://", "json://")) == "The service still hangs over an earlier message."
        server.gate.set()


class TestNames:
    @pytest.mark.parametrize(
        ("url", "begins"),
        [
            ("mailto:ops@shop.example", "ops@shop.example"),
            ("https://user:secret@hooks.example/secret?key=secret", "hooks.example ("),
            ("tgram://secret/123", "tgram ("),
        ],
    )
    def test_a_name_tells_channels_apart_and_no_secret(self, url, begins):
        assert name_of(url).startswith(begins)
        assert "secret" not in name_of(url)

    def test_two_addresses_of_one_host_have_two_names(self):
        assert name_of("https://hooks.example/a") != name_of("https://hooks.example/b")


def test_an_address_that_nobody_speaks_is_an_error_of_the_checks(settings):
    settings.ALERT_URLS = ["json://localhost", "foo://secret"]

    (found,) = [each for each in run_checks() if each.id == "reporting.E101"]

    assert found.msg == "ALERT_URLS: number 2 of them, foo://…, is not an address that Apprise knows."
