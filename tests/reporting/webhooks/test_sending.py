"""Webhooks: signed messages, retries that carry the same id, and receivers that are gone."""

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin import AdminSite
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.messages.storage.base import BaseStorage
from django.db import DatabaseError
from django.test import RequestFactory
from standardwebhooks.webhooks import Webhook

from reporting.admin.destinations import WebhookDestinationAdmin
from reporting.exports.sinks import SinkError
from reporting.exports.sinks.webhook import MAX_BYTES, WebhookSink
from reporting.feeds import FEEDS
from reporting.feeds.lines import Line
from reporting.models import WebhookDestination
from reporting.webhooks import sending
from smplat.lib import signing
from tests import ROOT
from tests.fakes import FakeServer, Reply, closed_port_url, dripping, fake_server, tcp_server

FEED = FEEDS["onboarding_segments"]
SETTING = "ANALYTICS_SEGMENTS_WEBHOOK"
OLD, NEW = (f"whsec_{base64.b64encode(bytes([letter]) * 32).decode()}" for letter in b"on")

pytestmark = pytest.mark.django_db


@pytest.fixture
def server():
    """A receiver."""
    with fake_server() as server:
        yield server


@pytest.fixture
def slept() -> list[float]:
    """The seconds that the sink waited between attempts."""
    return []


@pytest.fixture
def sink_to(slept):
    """A maker of sinks that wait for nobody."""
    sinks = []

    def make(url: str, *secrets: str, **options) -> WebhookSink:
        sinks.append(WebhookSink(options.pop("feed", FEED), url, SETTING, secrets, sleep=slept.append, **options))
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.abort()


def line(json: bytes) -> Line:
    return Line(1, "2026-11-08T08:00:00.000000Z", "0000002a-8f0e-4a4b-9d57-1c2f6b0a7e94", json)


def ids(server: FakeServer) -> list[str]:
    return [request.headers["webhook-id"] for request in server.heard]


class TestMessages:
    @pytest.mark.parametrize(("feed", "key"), [("onboarding_segments", "events"), ("guardrail_followups", "followUps")])
    def test_rows_travel_under_the_key_of_their_feed(self, server, sink_to, feed, key):
        row = {"notes": 'a "quote", a \\ backslash,\na line and 🦜'}

        sink_to(server.url, feed=FEEDS[feed]).write([line(json.dumps(row).encode()), line(b'{"n":2}')])

        assert json.loads(server.heard[0].body) == {key: [row, {"n": 2}]}
        assert server.heard[0].headers["Content-Type"] == "application/json"

    def test_a_feed_without_a_webhook_is_refused(self, sink_to):
        with pytest.raises(SinkError, match="Quick-order telemetry cannot be sent to a webhook"):
            sink_to("http://127.0.0.1:9", feed=FEEDS["quick_order"])

    def test_either_of_two_secrets_verifies(self, server, sink_to):
        sink_to(server.url, OLD, NEW).write([line('{"name":"🦜"}'.encode())])

        request = server.heard[0]
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert headers["webhook-signature"].count("v1,") == 2
        for secret in (OLD, NEW):
            assert Webhook(secret).verify(request.body, headers) == {"events": [{"name": "🦜"}]}
            assert signing.verify(request.body, headers, [secret]) == ids(server)[0]

    def test_without_a_secret_there_is_no_signature(self, server, sink_to):
        sink_to(server.url).write([line(b"{}")])

        assert "webhook-signature" not in server.heard[0].headers
        assert ids(server)[0].startswith("msg_")

    def test_the_id_is_that_of_the_content(self, server, sink_to):
        sink = sink_to(server.url)
        for content in (b"1", b"2", b"1"):
            sink.write([line(content)])

        first, second, third = ids(server)
        assert first == third != second
        assert len(first) == len("msg_") + 32

    def test_the_largest_batch_fills_a_message_to_the_last_byte(self, server, sink_to):
        sink = sink_to(server.url)
        rows, size = sink.limits.rows, sink.limits.bytes // sink.limits.rows
        batch = [line(b'"%s"' % (b"x" * (size - 2))) for _ in range(rows - 1)]
        batch.append(line(b'"%s"' % (b"x" * (sink.limits.bytes - size * (rows - 1) - 2))))

        sink.write(batch)

        assert rows == 1_000
        assert len(server.heard[0].body) == MAX_BYTES == 1_048_576

    def test_a_row_that_no_message_can_hold_is_named(self, server, sink_to):
        with pytest.raises(SinkError, match="from row 0000002a-8f0e-4a4b-9d57-1c2f6b0a7e94 on, is larger than"):
            sink_to(server.url).write([line(b'"%s"' % (b"x" * MAX_BYTES))])
        assert server.heard == []


class TestRetries:
    def test_a_retry_carries_the_same_id_and_a_signature_that_verifies(self, server, sink_to, slept):
        server.replies.extend([Reply(500), Reply(503)])

        sink_to(server.url, NEW).write([line(b"{}")])

        assert len(set(ids(server))) == 1
        assert len(server.heard) == 3
        signing.verify(server.heard[2].body, {k.lower(): v for k, v in server.heard[2].headers.items()}, [NEW])
        assert 1 <= slept[0] <= 2 <= slept[1] <= 3

    def test_it_gives_up_after_five_attempts(self, server, sink_to, slept):
        server.usual = Reply(500, b"out of order")

        with pytest.raises(SinkError, match=f"^the webhook of {SETTING} answered 500: out of order, the last of 5"):
            sink_to(server.url).write([line(b"{}")])
        assert (len(server.heard), len(slept)) == (5, 4)

    @pytest.mark.parametrize(
        ("asked", "seconds"),
        [
            ("7", 7),
            ("86400", 120),
            ("Tue, 01 Jan 2199 00:00:00 GMT", 120),
            ("Wed, 01 Jan 2020 00:00:00 GMT", 0),
        ],
    )
    def test_it_waits_as_long_as_it_is_asked_to(self, server, sink_to, slept, asked, seconds):
        server.replies.append(Reply(429, headers={"Retry-After": asked}))

        sink_to(server.url).write([line(b"{}")])

        assert slept == [seconds]

    @pytest.mark.parametrize("asked", ["soon", "-1", "", "١"])
    def test_a_wish_that_cannot_be_read_is_none(self, asked):
        assert sending._retry_after(asked) is None

    def test_a_closed_port_is_tried_again_and_then_reported(self, sink_to, slept):
        with pytest.raises(SinkError, match=r"could not be reached \(ConnectError\), the last of 5 attempts"):
            sink_to(f"{closed_port_url()}/services/the-secret").write([line(b"{}")])
        assert len(slept) == 4

    def test_a_receiver_that_hangs_is_left(self, server, sink_to, slept):
        server.gate.clear()

        with pytest.raises(SinkError, match=r"could not be reached \(ReadTimeout\)"):
            sink_to(server.url, timeout=0.05).write([line(b"{}")])
        assert len(slept) == 4

    def test_a_receiver_that_drips_its_headers_is_left(self, sink_to, slept):
        with (
            tcp_server(dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")) as address,
            pytest.raises(SinkError, match=r"could not be reached \(ReadTimeout\)"),
        ):
            sink_to(f"http://{address}/", timeout=0.1).write([line(b"{}")])
        assert len(slept) == 4

    def test_a_receiver_that_has_answered_and_drips_the_rest_is_taken_by_its_word(self, sink_to, slept):
        with tcp_server(dripping(b"HTTP/1.1 202 Accepted\r\nContent-Length: 9999\r\n\r\n", b" ")) as address:
            sink_to(f"http://{address}/", timeout=0.1).write([line(b"{}")])
        assert slept == []

    @pytest.mark.parametrize("status", [400, 401, 404, 413])
    def test_a_refusal_is_not_repeated(self, server, sink_to, status):
        server.usual = Reply(status, b"no")

        with pytest.raises(SinkError, match=f"answered {status}: no$"):
            sink_to(server.url).write([line(b"{}")])
        assert len(server.heard) == 1

    def test_a_redirect_is_not_followed(self, server, sink_to):
        server.usual = Reply(307, headers={"Location": f"{server.url}/elsewhere"})

        with pytest.raises(SinkError, match="answered 307, and redirects are not followed; set the final address"):
            sink_to(server.url).write([line(b"{}")])
        assert len(server.heard) == 1


class TestSecrecy:
    def test_an_error_holds_little_of_the_answer_and_nothing_of_the_address(self, server, sink_to, caplog):
        secrets = ("path-secret", "query-secret", "a-password")
        server.usual = Reply(500, f"no\n\x1b[2J /{secrets[0]}?k={secrets[1]} {secrets[2]} {'x' * 9_999}".encode())
        url = server.url.replace("//", f"//user:{secrets[2]}@") + f"/{secrets[0]}?key={secrets[1]}"

        with pytest.raises(SinkError) as caught:
            sink_to(url, NEW).write([line(b"{}")])

        said = str(caught.value) + caplog.text
        assert "answered 500: no [2J /…?k=… … xxx" in str(caught.value)
        assert str(caught.value).count("x") < 200
        assert not [secret for secret in (*secrets, NEW) if secret in said]

    def test_a_receiver_shows_neither_address_nor_secrets(self, server):
        assert "the-secret" not in repr(sending.Receiver("http://h/the-secret", ("the-secret",)))

    @pytest.mark.parametrize(
        ("secret", "is_taken"),
        [
            (OLD, True),
            (f"{OLD},{NEW}", True),
            (OLD.removeprefix("whsec_"), True),
            (OLD.rstrip("="), True),
            (f"whsec_{base64.b64encode(b'x' * 23).decode()}", False),
            (f"whsec_{base64.b64encode(b'x' * 65).decode()}", False),
            (f"{OLD},not-base-64-but-long-enough-to-be-a-secret", False),
        ],
    )
    def test_a_secret_of_the_settings_is_checked_and_not_repeated(self, tmp_path, secret, is_taken):
        result = subprocess.run(
            [sys.executable, "-c", "from smplat import settings; print(len(settings.ANALYTICS_WEBHOOK_SECRETS))"],
            env={**os.environ, "VAR_DIR": str(tmp_path), "ANALYTICS_WEBHOOK_SECRET": secret},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert (result.returncode == 0) is is_taken
        if not is_taken:
            assert "ANALYTICS_WEBHOOK_SECRET: each secret must be whsec_ and then 24 to 64" in result.stderr
            assert secret.split(",")[-1] not in result.stderr


class TestGone:
    @pytest.fixture
    def gone(self, server: FakeServer, sink_to) -> FakeServer:
        """A receiver that answered 410 to a run."""
        server.usual = Reply(410, b"moved out")
        sink = sink_to(server.url)
        with pytest.raises(SinkError, match="answered 410: moved out, .* enable it in the admin"):
            sink.write([line(b"{}")])
        return server

    def test_it_is_disabled_and_left_alone(self, gone, sink_to):
        with pytest.raises(SinkError, match=f"{SETTING} answered 410: moved out, .* enable it in the admin"):
            sink_to(gone.url)

        assert len(gone.heard) == 1
        assert WebhookDestination.objects.get().disabled_at is not None

    def test_it_is_asked_again_once_an_operator_enabled_it(self, gone, sink_to, rf: RequestFactory):
        request = rf.post("/")
        request.user = User.objects.create_superuser("operator")
        request._messages = BaseStorage(request)  # type: ignore[attr-defined]

        WebhookDestinationAdmin(WebhookDestination, AdminSite()).enable(request, WebhookDestination.objects.all())

        gone.usual = Reply(204, b"")
        sink_to(gone.url).write([line(b"{}")])
        assert [str(entry.user) for entry in LogEntry.objects.all()] == ["operator"]

    def test_only_who_may_change_destinations_may_enable_them(self, rf: RequestFactory):
        admin, request = WebhookDestinationAdmin(WebhookDestination, AdminSite()), rf.get("/")

        allowed = []
        for user in (User.objects.create_user("viewer", is_staff=True), User.objects.create_superuser("operator")):
            request.user = user
            allowed.append("enable" in admin.get_actions(request))

        assert allowed == [False, True]

    def test_a_host_without_a_database_asks_it_nothing(self, server, slept, django_assert_num_queries):
        server.usual = Reply(410)

        with django_assert_num_queries(0):
            sink = WebhookSink(FEED, server.url, SETTING, [], sleep=slept.append, has_database=False)
            with pytest.raises(SinkError, match="answered 410"):
                sink.write([line(b"{}")])
            sink.abort()

    def test_a_database_that_is_away_hides_nothing(self, server, sink_to, monkeypatch, caplog):
        def away(*_: object) -> None:
            raise DatabaseError

        server.usual = Reply(410)
        monkeypatch.setattr(type(WebhookDestination.objects), "disable", away)

        with pytest.raises(SinkError, match="answered 410"):
            sink_to(server.url).write([line(b"{}")])

        assert "could not be disabled" in caplog.text


class TestVerifying:
    BODY = b'{"events":[]}'

    def headers(self, now: datetime | None = None, **changes: str) -> dict[str, str]:
        made = signing.signed_headers(self.BODY, [NEW], now or datetime.now(UTC))
        return {**made, **{name.replace("_", "-"): value for name, value in changes.items()}}

    def test_a_good_message_gives_its_id(self):
        assert signing.verify(self.BODY, self.headers(), [OLD, NEW]) == signing.message_id(self.BODY)

    @pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(minutes=-6)])
    def test_a_message_out_of_time_is_refused(self, age):
        with pytest.raises(signing.SignatureError, match=r"timestamp too (old|new)\.$"):
            signing.verify(self.BODY, self.headers(datetime.now(UTC) - age), [NEW])

    def test_a_tampered_body_is_refused(self):
        with pytest.raises(signing.SignatureError, match="No matching signature"):
            signing.verify(self.BODY + b" ", self.headers(), [OLD, NEW])

    def test_a_renamed_message_is_refused(self):
        with pytest.raises(signing.SignatureError, match="No matching signature"):
            signing.verify(self.BODY, self.headers(webhook_id="msg_other"), [NEW])

    @pytest.mark.parametrize("value", ["rubbish", "v1,", "v1,!!", "v1,é", "v2,aGVsbG8=", " ", "v1,a,b"])
    def test_a_malformed_signature_is_refused(self, value):
        with pytest.raises(signing.SignatureError):
            signing.verify(self.BODY, self.headers(webhook_signature=value), [NEW])

    @pytest.mark.parametrize("value", ["", "nan", "1e999", "-1", "soon", "99999999999999999999"])
    def test_a_malformed_time_is_refused(self, value):
        with pytest.raises(signing.SignatureError):
            signing.verify(self.BODY, self.headers(webhook_timestamp=value), [NEW])

    def test_a_body_that_is_no_utf_8_is_refused(self):
        with pytest.raises(signing.SignatureError, match="malformed"):
            signing.verify(b"\xff", self.headers(), [NEW])

    @pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_a_missing_header_is_named(self, name):
        headers = self.headers()
        del headers[name]

        with pytest.raises(signing.SignatureError, match=name):
            signing.verify(self.BODY, headers, [NEW])

    def test_without_a_secret_nothing_verifies(self):
        with pytest.raises(signing.SignatureError, match="not signed by a secret"):
            signing.verify(self.BODY, self.headers(), [])
