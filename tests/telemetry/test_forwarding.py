"""Forwarding of captured bodies to the analytics endpoint."""

import json
from datetime import timedelta

import pytest
from celery import Celery
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client import REGISTRY

import smplat.celery
from smplat.celery import app
from telemetry import forward_models, forwarding
from telemetry.forward_models import MAX_FORWARDS, Forward, ForwardBreaker
from tests.factories import quick_order_event
from tests.fakes import Clock, Reply, dripping, fake_server, tcp_server

SECOND = timedelta(seconds=1)


@pytest.fixture
def endpoint(settings):
    """The analytics endpoint, to which the settings point."""
    with fake_server() as server:
        settings.TELEMETRY_ENDPOINT = f"{server.url}/events"
        yield server


@pytest.fixture
def clock() -> Clock:
    """A clock that starts a little later than the database's."""
    return Clock(timezone.now() + 5 * SECOND)


def queue(count: int = 1) -> None:
    for number in range(count):
        forwarding.queue(b"%d" % number, "text/plain")


@pytest.mark.django_db
def test_the_whole_body_goes_on_with_its_content_type(stranger, endpoint, clock):
    body = json.dumps([quick_order_event(), quick_order_event(name="experiment.exposure")])

    stranger.generic("POST", "/api/telemetry", body, content_type="text/plain")
    assert endpoint.heard == [], "capture asks nothing of the endpoint"
    assert (forwarding.deliver(clock), forwarding.deliver(clock)) == (1, 0)

    assert [(heard.headers["Content-Type"], heard.body) for heard in endpoint.heard] == [("text/plain", body.encode())]


@pytest.mark.django_db
def test_the_quick_order_route_does_not_forward_its_copies(stranger, endpoint, clock):
    answer = stranger.post("/api/telemetry/quick-order", quick_order_event(), format="json")

    assert answer.json()["accepted"] == 1
    assert forwarding.deliver(clock) == 0
    assert endpoint.heard == []


@pytest.mark.django_db
def test_without_an_endpoint_nothing_is_kept(stranger):
    stranger.post("/api/telemetry", quick_order_event(), format="json")

    assert not Forward.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("endpoint")
def test_a_backlog_that_cannot_be_written_does_not_fail_the_capture(stranger, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE telemetry_forward RENAME TO telemetry_forward_away")

    assert stranger.post("/api/telemetry", quick_order_event(), format="json").status_code == 202
    assert "not forwarded (ProgrammingError)" in caplog.text


@pytest.mark.django_db
@pytest.mark.usefixtures("endpoint")
def test_capture_pays_one_insert_for_it(stranger):
    with CaptureQueriesContext(connection) as queries:
        stranger.post("/api/telemetry", quick_order_event(), format="json")

    about_it = [query["sql"] for query in queries if "telemetry_forward" in query["sql"]]
    assert len(about_it) == 1


@pytest.mark.django_db
@pytest.mark.usefixtures("endpoint")
def test_of_too_many_bytes_the_oldest_are_dropped_and_counted(monkeypatch):
    monkeypatch.setattr(forward_models, "MAX_FORWARD_BYTES", 2_500)
    before = REGISTRY.get_sample_value("smplat_forward_dropped_total") or 0.0
    forwarding.queue(b"0" * 1_000, "text/plain")
    first = Forward.objects.get().pk
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('telemetry_forward_id_seq', %s)", [first - first % 100 + 196])

    for letter in (b"1", b"2", b"3", b"4"):
        forwarding.queue(letter * 1_000, "text/plain")

    kept = Forward.objects.order_by("id").values_list("content", flat=True)
    assert [bytes(content)[:1] for content in kept] == [b"3", b"4"]
    assert REGISTRY.get_sample_value("smplat_forward_dropped_total") == before + 3


@pytest.mark.django_db
@pytest.mark.usefixtures("endpoint")
def test_of_too_many_bodies_the_oldest_are_dropped_and_counted(client):
    def dropped() -> float:
        return REGISTRY.get_sample_value("smplat_forward_dropped_total") or 0.0

    before = dropped()
    queue(3)
    first = Forward.objects.order_by("id").values_list("id", flat=True)[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('telemetry_forward_id_seq', %s)", [first + MAX_FORWARDS - 1])

    queue(2)

    assert [bytes(body) for body in Forward.objects.order_by("id").values_list("content", flat=True)] == [
        b"2",
        b"0",
        b"1",
    ]
    assert dropped() - before == 2
    assert "smplat_forward_dropped_total" in client.get("/metrics").content.decode()


@pytest.mark.django_db
class TestTheBreaker:
    def test_an_endpoint_that_fails_is_left_alone_and_then_asked_with_one_body(self, endpoint, clock):
        endpoint.usual = Reply(500)
        queue(20)

        assert forwarding.deliver(clock) == 0
        assert len(endpoint.heard) == forwarding._ROUND
        assert forwarding.deliver(clock) == 0
        assert len(endpoint.heard) == forwarding._ROUND, "it is left alone"
        clock.pause(2)
        forwarding.deliver(clock)

        assert len(endpoint.heard) == forwarding._ROUND + 1, "one body is a probe"

    def test_an_endpoint_that_is_back_gets_everything(self, endpoint, clock):
        endpoint.usual = Reply(503)
        queue(20)
        forwarding.deliver(clock)
        endpoint.usual = Reply()
        endpoint.heard.clear()
        clock.pause(2)

        assert forwarding.deliver(clock) == 20

        assert {heard.body for heard in endpoint.heard} == {b"%d" % number for number in range(20)}
        assert ForwardBreaker.objects.get().failures == 0
        assert not Forward.objects.exists()

    def test_pauses_grow_to_five_minutes(self, endpoint, clock):
        endpoint.usual = Reply(500)
        queue(20)
        pauses = []
        for _ in range(10):
            began = clock.now
            forwarding.deliver(clock)
            clock.now = ForwardBreaker.objects.get().asked_from
            pauses.append((clock.now - began).total_seconds())

        for pause, longest in zip(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300], strict=True):
            assert longest / 2 <= pause <= longest

    def test_a_body_that_fails_does_not_hold_up_the_others(self, endpoint, clock):
        endpoint.replies.append(Reply(500))
        queue(20)
        forwarding.deliver(clock)
        clock.pause(2)

        assert forwarding.deliver(clock) == 13

    def test_what_waited_for_a_day_is_given_up(self, endpoint, clock, caplog):
        queue(2)
        clock.pause(forwarding.GIVE_UP_AFTER.total_seconds())

        assert forwarding.deliver(clock) == 0

        assert (endpoint.heard, Forward.objects.count()) == ([], 0)
        assert "2 telemetry bodies are given up after a day" in caplog.text

    def test_a_worker_that_died_is_followed_after_its_lease(self, endpoint, clock):
        queue()
        assert forwarding._claim(clock())

        assert forwarding.deliver(clock) == 0
        clock.pause(forwarding.LEASE.total_seconds())

        assert forwarding.deliver(clock) == 1

    def test_an_endpoint_that_hangs_costs_a_deadline_and_no_lock(self, settings, clock, monkeypatch):
        monkeypatch.setattr(forwarding, "_TIMEOUT_SECONDS", 0.1)
        with tcp_server(dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")) as address:
            settings.TELEMETRY_ENDPOINT = f"http://{address}/"
            queue()

            assert forwarding.deliver(clock) == 0

        assert Forward.objects.get().attempts == 1


@pytest.mark.usefixtures("endpoint")
def test_the_schedule_sends_every_five_seconds_where_an_endpoint_is_set():
    other = Celery("other", set_as_current=False)
    other.conf.beat_schedule = {}

    smplat.celery._schedule_what_is_set(other)

    entry = other.conf.beat_schedule["forward telemetry"]
    assert (entry["task"], entry["schedule"]) == ("telemetry.deliver_forwards", 5.0)


def test_the_schedule_sends_nothing_without_an_endpoint(settings):
    settings.TELEMETRY_ENDPOINT = ""
    other = Celery("other", set_as_current=False)
    other.conf.beat_schedule = {}

    smplat.celery._schedule_what_is_set(other)

    assert "forward telemetry" not in other.conf.beat_schedule


def test_what_others_may_delay_shares_no_worker_with_exports():
    app.loader.import_default_modules()
    queues = {name: app.amqp.router.route({}, name)["queue"].name for name in app.tasks}

    assert {name for name, queue in queues.items() if queue == "optional"} == {
        "telemetry.deliver_forwards",
        "reporting.deliver_slack",
        "reporting.alert_on_providers",
    }
    assert queues["reporting.export_on_schedule"] == "celery"


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
