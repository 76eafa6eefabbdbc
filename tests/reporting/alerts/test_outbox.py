"""Delivery to Slack: once, in time, at Slack's pace, whatever Slack does."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from reporting.alerts import outbox
from reporting.models import SlackChannel, SlackMessage
from reporting.models.messages import AUTOMATION, FOLLOW_UPS
from tests.fakes import Clock, FakeServer, Reply, closed_port_url, dripping, fake_server, tcp_server

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def slack(settings):
    """A Slack that both webhooks point to."""
    with fake_server() as server:
        settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = f"{server.url}/hook"
        settings.PROVIDER_AUTOMATION_SLACK_WEBHOOK = f"{server.url}/hook"
        yield server


@pytest.fixture
def clock() -> Clock:
    """A clock that starts when the test does."""
    return Clock(timezone.now() + SECOND)


def put(*keys: str, webhook: str = FOLLOW_UPS) -> None:
    for key in keys:
        outbox.put(key, webhook, f"text of {key}")


def deliver(clock: Clock) -> int:
    return outbox.deliver(clock, clock.pause)


def deliver_after(clock: Clock, wait: timedelta) -> int:
    clock.pause(wait.total_seconds())
    return deliver(clock)


def message(key: str) -> SlackMessage:
    return SlackMessage.objects.get(dedupe_key=key)


def sent_at(key: str) -> datetime:
    at = message(key).sent_at
    assert at is not None, f"{key} was not sent"
    return at


class TestDelivery:
    def test_a_message_arrives_once(self, slack, clock):
        put("a")
        assert slack.heard == [], "writing a message asks nothing of Slack"

        assert deliver(clock) == 1
        assert deliver(clock) == 0

        assert slack.texts == ["text of a"]
        assert (message("a").state, message("a").attempts) == ("sent", 1)
        assert sent_at("a") <= clock.now

    def test_the_one_that_waits_longest_goes_first(self, slack, clock):
        put("a", "b", "c")

        deliver(clock)

        assert slack.texts == ["text of a", "text of b", "text of c"]

    def test_each_webhook_gets_its_own(self, slack, settings, clock):
        settings.PROVIDER_AUTOMATION_SLACK_WEBHOOK = f"{slack.url}/other"
        put("a")
        put("b", webhook=AUTOMATION)

        deliver(clock)

        assert {request.path: request.body for request in slack.heard} == {
            "/hook": b'{"text":"text of a"}',
            "/other": b'{"text":"text of b"}',
        }

    def test_a_worker_that_dies_while_posting_leaves_the_message_waiting(self, slack, clock, monkeypatch):
        put("a")

        def die(*_: object) -> None:
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr(outbox, "_settle", die)
            with pytest.raises(SystemExit):
                deliver(clock)
        assert message("a").state == "waiting"
        assert deliver_after(clock, outbox.LEASE - SECOND) == 0, "it may be posting still"

        deliver_after(clock, SECOND)

        assert message("a").state == "sent"

    def test_finding_it_does_not_read_what_was_sent(self):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")

        plan = SlackMessage.objects.due([FOLLOW_UPS, AUTOMATION], timezone.now())[:1].explain()

        assert "Index Scan using slack_messages_waiting" in plan
        assert "Sort" not in plan

    def test_the_schedule_looks_every_half_minute_and_no_look_waits_for_the_last(self):
        from smplat.celery import app

        entry = app.conf.beat_schedule["deliver slack"]

        assert (entry["task"], entry["schedule"]) == ("reporting.deliver_slack", 30.0)
        assert entry["options"]["expires"] <= 30


class TestPace:
    def test_it_is_one_message_a_second(self, slack, clock):
        begin = clock.now
        put("a", "b", "c")

        deliver(clock)

        sent = [(sent_at(key) - begin) // SECOND for key in "abc"]
        assert sent == [0, 1, 2]

    def test_two_settings_with_one_webhook_share_it(self, slack, clock):
        put("a")
        put("b", webhook=AUTOMATION)

        deliver(clock)

        assert sent_at("b") - sent_at("a") >= SECOND

    def test_a_worker_that_comes_too_early_leaves_the_message(self, slack, clock):
        put("a")
        deliver(clock)
        clock.pause(-0.5)
        put("b")

        assert deliver(clock) == 0
        assert deliver_after(clock, SECOND) == 1

    def test_a_shift_ends_before_the_schedule_starts_the_next(self, slack, clock):
        put(*(f"m{index}" for index in range(30)))

        assert deliver(clock) == 25
        assert deliver(clock) == 5


def closed(server: FakeServer, settings, monkeypatch) -> str:
    settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = closed_port_url()
    return "Slack could not be reached (ConnectError)"


def silent(server: FakeServer, settings, monkeypatch) -> str:
    monkeypatch.setattr(outbox, "_TIMEOUT_SECONDS", 0.05)
    server.gate.clear()
    return "Slack could not be reached (ReadTimeout)"


def answering(status: int, **headers: str):
    def make(server: FakeServer, settings, monkeypatch) -> str:
        server.usual = Reply(status, headers=headers)
        return f"Slack answered {status}"

    return make


class TestOutage:
    @pytest.mark.parametrize(
        "outage",
        [closed, silent, answering(500), answering(503), answering(404), answering(302, Location="/"), answering(429)],
        ids=["closed port", "silent", "500", "503", "404", "302", "429"],
    )
    def test_the_message_arrives_once_when_slack_is_back(self, outage, slack, settings, clock, monkeypatch):
        with monkeypatch.context() as patch:
            hook = settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK
            problem = outage(slack, settings, patch)
            put("a")
            assert slack.heard == []
            assert deliver(clock) == 0
            assert (message("a").state, message("a").problem) == ("waiting", problem)
            assert len(slack.heard) <= 1, "one attempt, and no redirect followed"
        settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = hook
        slack.gate.set()
        slack.usual = Reply()
        slack.heard.clear()

        assert deliver_after(clock, 2 * SECOND) == 1
        assert deliver_after(clock, DAY) == 0

        assert slack.texts == ["text of a"]
        assert (message("a").attempts, message("a").problem) == (2, "")

    def test_a_slack_that_drips_is_left_when_the_time_is_up(self, settings, clock, monkeypatch):
        monkeypatch.setattr(outbox, "_TIMEOUT_SECONDS", 0.1)
        with tcp_server(dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")) as address:
            settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = f"http://{address}/hook"
            put("a")

            assert deliver(clock) == 0

        assert message("a").problem == "Slack could not be reached (ReadTimeout)"

    def test_retry_after_holds_for_the_whole_channel_and_what_comes_later(self, slack, clock):
        slack.replies.append(Reply(429, headers={"Retry-After": "60"}))
        put("a", "b")
        begin = clock.now
        deliver(clock)
        put("c")

        assert deliver_after(clock, begin + 59 * SECOND - clock.now) == 0
        assert deliver_after(clock, SECOND) == 3

        assert len(slack.heard) == 4

    @pytest.mark.parametrize("rubbish", ["", "-1", "soon", "1e9", "9" * 5_000, "Wed, 21 Oct 2026 07:28:00 GMT"])
    def test_a_retry_after_that_is_no_number_is_left_aside(self, slack, clock, rubbish):
        slack.replies.append(Reply(429, headers={"Retry-After": rubbish}))
        put("a")
        deliver(clock)

        assert deliver_after(clock, 2 * SECOND) == 1

    def test_a_preposterous_retry_after_is_an_hour(self, slack, clock):
        slack.replies.append(Reply(429, headers={"Retry-After": "999999999"}))
        put("a")
        deliver(clock)

        assert deliver_after(clock, timedelta(hours=1)) == 1

    def test_pauses_double_up_to_five_minutes(self, slack, clock):
        slack.usual = Reply(500)
        put("a")
        pauses = []
        for _ in range(12):
            before = clock.now
            deliver(clock)
            pauses.append((message("a").next_attempt_at - before).total_seconds())
            clock.now = max(message("a").next_attempt_at, SlackChannel.objects.get().opens_at)

        for pause, longest in zip(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300], strict=True):
            assert longest / 2 <= pause <= longest

    def test_an_outage_is_probed_by_one_message_at_a_time(self, slack, clock):
        slack.usual = Reply(500)
        put(*"abcde")

        deliver(clock)

        assert len(slack.heard) == 1

    def test_a_message_that_slack_fails_on_does_not_hold_up_the_others(self, slack, clock):
        slack.replies.append(Reply(500))
        put("a", "b")
        deliver(clock)

        deliver_after(clock, 2 * SECOND)

        assert slack.texts[1] == "text of b"
        assert message("a").state == "sent"

    @pytest.mark.parametrize("status", [400, 413])
    def test_a_refused_message_is_given_up_at_once(self, slack, clock, status):
        slack.replies.append(Reply(status))
        put("a", "b")

        assert deliver(clock) == 1

        assert (message("a").state, message("a").problem) == ("given_up", f"Slack answered {status}")
        assert message("b").state == "sent"

    def test_after_a_day_of_outage_messages_are_given_up(self, slack, clock, caplog):
        slack.usual = Reply(503)
        put("a", "b")
        deliver(clock)
        clock.pause(DAY.total_seconds())
        SlackMessage.objects.create(
            dedupe_key="young", webhook=FOLLOW_UPS, created_at=clock.now, next_attempt_at=clock.now
        )

        deliver(clock)

        assert {key: message(key).state for key in ("a", "b", "young")} == {
            "a": "given_up",
            "b": "given_up",
            "young": "waiting",
        }
        assert "2 Slack messages are given up after a day: Slack answered 503" in caplog.text

    def test_messages_that_waited_for_a_day_without_a_worker_are_still_sent(self, slack, clock):
        put("a", "b")

        assert deliver_after(clock, 2 * DAY) == 2

    @pytest.mark.parametrize("other", ["https://hooks.example/other", ""])
    def test_a_message_whose_setting_is_emptied_is_given_up_after_a_day(self, slack, settings, clock, other):
        settings.PROVIDER_AUTOMATION_SLACK_WEBHOOK = other
        put("a")
        settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = ""
        deliver(clock)
        assert message("a").state == "waiting"

        deliver_after(clock, DAY)

        assert message("a").state == "given_up"

    def test_neither_log_nor_row_holds_the_webhook(self, slack, settings, clock, caplog):
        settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = f"{closed_port_url()}/services/a-secret"
        put("a")

        with caplog.at_level("DEBUG", "reporting"):
            deliver(clock)

        rows = [*SlackMessage.objects.values(), *SlackChannel.objects.values()]
        assert "ConnectError" in caplog.text
        assert "ConnectError" in message("a").problem
        assert "a-secret" not in caplog.text + str(rows)


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    @pytest.fixture
    def in_thread(self):
        """Runs functions in threads that leave no database connection behind."""

        def clean(function, *arguments):
            try:
                return function(*arguments)
            finally:
                connection.close()

        with ThreadPoolExecutor() as pool:
            yield lambda function, *arguments: pool.submit(clean, function, *arguments)

    def test_two_workers_at_once_post_a_message_once(self, slack, clock, in_thread):
        put("a", "b")
        slack.gate.clear()
        first = in_thread(outbox._post_next, f"{slack.url}/hook", [FOLLOW_UPS], clock)
        assert slack.arrived.wait(10)

        assert deliver(clock) == 0
        assert not first.done(), "the second worker did not wait for the first"
        slack.gate.set()

        assert first.result().problem is None
        assert slack.texts == ["text of a"]

    def test_while_slack_is_silent_no_row_is_locked(self, slack, clock, in_thread):
        put("a")
        slack.gate.clear()
        first = in_thread(deliver, clock)
        assert slack.arrived.wait(10)

        with transaction.atomic():
            locked = [list(model.objects.select_for_update(nowait=True)) for model in (SlackMessage, SlackChannel)]
        slack.gate.set()

        assert [len(rows) for rows in locked] == [1, 1]
        assert first.result() == 1

    def test_what_is_sent_late_counts_as_sent_though_the_lease_is_over(self, slack, clock, in_thread):
        put("a")
        slack.gate.clear()
        first = in_thread(deliver, clock)
        assert slack.arrived.wait(10)
        SlackMessage.objects.update(next_attempt_at=clock.now + 2 * outbox.LEASE)
        slack.gate.set()

        assert first.result() == 1
        assert message("a").state == "sent"

    def test_workers_with_different_settings_post_a_message_once(self, slack, clock, in_thread):
        put("a")
        slack.gate.clear()
        first = in_thread(outbox._post_next, f"{slack.url}/hook", [FOLLOW_UPS], clock)
        assert slack.arrived.wait(10)

        assert outbox._post_next(f"{slack.url}/new-hook", [FOLLOW_UPS], clock) is None
        slack.gate.set()

        assert first.result().problem is None
        assert [request.path for request in slack.heard] == ["/hook"]

    def test_many_workers_share_a_backlog_without_a_repetition(self, slack, in_thread):
        keys = [f"m{index}" for index in range(12)]
        put(*keys)
        begin = timezone.now() + SECOND
        barrier = threading.Barrier(4)

        def work() -> int:
            barrier.wait(10)
            clock = Clock(begin)
            return sum(deliver_after(clock, SECOND) for _ in range(12))

        sent = sum(worker.result() for worker in [in_thread(work) for _ in range(4)])

        assert sent == len(slack.heard) == 12
        assert sorted(slack.texts) == sorted(f"text of {key}" for key in keys)

    def test_while_slack_is_slow_messages_are_written_and_arrive_once(self, slack, clock, in_thread):
        assert outbox._TIMEOUT_SECONDS > 30, "a Slack that takes 30 s must not be posted to twice"
        put("a")
        slack.gate.clear()
        first = in_thread(deliver, clock)
        assert slack.arrived.wait(10)

        with transaction.atomic():
            put("b")
        assert message("b").state == "waiting", "written while Slack has not answered"
        slack.gate.set()

        assert first.result() == 2
        assert slack.texts == ["text of a", "text of b"]
