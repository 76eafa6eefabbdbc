"""Who is notified of findings, when, and of what not."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from reporting.alerts import telling
from reporting.insights import causes, health
from reporting.models import AlertDelivery, AlertMute, AlertRule, Finding, HealthLook
from reporting.models.findings import Kind
from tests.fakes import Clock, Reply, fake_server

HOUR = timedelta(hours=1)
MAIL = "ops@shop.example"

pytestmark = pytest.mark.django_db


class Desk:
    """A desk whose looks find what the test says, at the test's time."""

    def __init__(self, monkeypatch) -> None:
        self.wrong: dict[Kind, str] = {}
        self.clock = Clock(timezone.now())
        monkeypatch.setattr(causes, "CAUSES", (self._found,))
        monkeypatch.setattr(health, "database_now", self.clock)

    def _found(self):
        for kind, feed in self.wrong.items():
            yield Finding(kind=kind, feed=feed, sentence=f"{kind} is wrong.", since=self.clock.now)

    def after(self, pause: timedelta = timedelta(seconds=30)) -> list[str]:
        """Let time go by and look; return what is written since, as ``event channel``."""
        known = set(AlertDelivery.objects.values_list("pk", flat=True))
        self.clock.pause(pause.total_seconds())
        health.look()
        new = AlertDelivery.objects.exclude(pk__in=known).order_by("id")
        return [f"{each.event} {each.channel}" for each in new]


@pytest.fixture
def desk(monkeypatch, settings):
    settings.ALERT_URLS, settings.SLACK_WEBHOOK_URL = [f"mailto:{MAIL}"], ""
    return Desk(monkeypatch)


def mute(desk: Desk, until: timedelta | None) -> AlertMute:
    end = desk.clock.now + until if until else None
    return AlertMute.objects.create(kind=Kind.DRIFT, feed="quick_order", at=desk.clock.now, until=end, reason="known")


class TestWhatIsDue:
    def test_one_message_when_a_finding_begins_and_one_when_it_ends(self, desk):
        desk.wrong = {Kind.DRIFT: "quick_order"}
        assert desk.after() == [f"began {MAIL}"]
        assert desk.after() == []

        desk.wrong = {}
        assert desk.after() == [f"ended {MAIL}"]
        assert desk.after() == []

    def test_a_reminder_every_four_hours_while_it_goes_on(self, desk):
        desk.wrong = {Kind.DRIFT: "quick_order"}
        desk.after()

        assert desk.after(4 * HOUR - timedelta(seconds=1)) == []
        assert desk.after(timedelta(seconds=1)) == [f"reminder {MAIL}"]
        assert desk.after(HOUR) == []
        assert desk.after(3 * HOUR) == [f"reminder {MAIL}"]

    def test_no_reminder_where_the_setting_says_so(self, desk, settings):
        settings.ALERT_REMINDER = timedelta(0)
        desk.wrong = {Kind.DRIFT: "quick_order"}
        desk.after()

        assert desk.after(100 * HOUR) == []

    def test_nothing_while_muted_and_what_holds_at_the_end_of_the_mute_is_told(self, desk):
        mute(desk, HOUR)
        desk.wrong = {Kind.DRIFT: "quick_order", Kind.DISK_FULL: ""}

        assert desk.after() == [f"began {MAIL}"], "the mute is about drift alone"
        assert desk.after(HOUR) == [f"began {MAIL}"]

    def test_a_finding_that_comes_and_goes_while_muted_is_never_told(self, desk):
        mute(desk, HOUR)
        desk.wrong = {Kind.DRIFT: "quick_order"}
        assert desk.after() == []
        desk.wrong = {}
        assert desk.after() == []
        assert desk.after(2 * HOUR) == []

    def test_a_mute_until_resolved_ends_with_the_finding(self, desk):
        desk.wrong = {Kind.DRIFT: "quick_order"}
        desk.after()
        found = mute(desk, None)
        assert desk.after(5 * HOUR) == []

        desk.wrong = {}
        assert desk.after() == []
        found.refresh_from_db()
        assert found.lifted_at is not None

        desk.wrong = {Kind.DRIFT: "quick_order"}
        assert desk.after() == [f"began {MAIL}"]

    @pytest.mark.parametrize(
        ("rule", "told"),
        [
            ({"kind": Kind.DRIFT}, False),
            ({"feed": "quick_order"}, False),
            ({}, False),
            ({"kind": Kind.DRIFT, "feed": "onboarding_segments"}, True),
            ({"kind": Kind.DISK_FULL}, True),
        ],
        ids=["the kind", "the feed", "everything", "another feed", "another kind"],
    )
    def test_a_channel_may_be_spared_kinds_and_feeds(self, desk, settings, rule, told):
        settings.ALERT_URLS = [f"mailto:{MAIL}", "mailto:all@shop.example"]
        AlertRule.objects.create(channel=MAIL, **rule)
        desk.wrong = {Kind.DRIFT: "quick_order"}

        assert desk.after() == [*([f"began {MAIL}"] if told else []), "began all@shop.example"]

    def test_a_rule_of_a_feed_that_went_harms_nobody(self, desk):
        AlertRule.objects.create(channel=MAIL, feed="gone")
        AlertMute.objects.create(kind="gone", feed="gone", reason="x")
        desk.wrong = {Kind.DRIFT: "quick_order"}

        assert desk.after() == [f"began {MAIL}"]

    def test_a_look_that_is_overtaken_tells_nobody(self, desk, monkeypatch):
        def overtaken():
            HealthLook.objects.update(begun_at=desk.clock.now + HOUR)
            yield Finding(kind=Kind.DRIFT, feed="quick_order", sentence="x", since=desk.clock.now)

        monkeypatch.setattr(causes, "CAUSES", (overtaken,))

        assert desk.after() == []

    def test_it_takes_the_same_queries_however_much_is_wrong(self, desk, django_assert_max_num_queries):
        desk.wrong = dict.fromkeys(list(Kind), "quick_order")
        desk.after()
        desk.clock.pause(5 * 3600)

        with django_assert_max_num_queries(14):
            health.look()

        assert AlertDelivery.objects.filter(event="reminder").count() == len(Kind)


class TestDelivery:
    def test_a_message_says_what_began_and_where_to_look(self, desk):
        desk.wrong = {Kind.FAILED_RUN: "quick_order"}
        desk.after()

        assert telling.deliver(desk.clock) == 1
        assert telling.deliver(desk.clock) == 0

        (message,) = mail.outbox
        assert message.to == [MAIL]
        assert message.subject == "Failed run: Quick-order telemetry"
        assert message.body.startswith("Quick-order telemetry: failed_run is wrong.\n")
        assert message.body.endswith("/admin/reports/alerts")

    def test_the_end_is_told_as_such(self, desk):
        desk.wrong = {Kind.DISK_FULL: ""}
        desk.after()
        desk.wrong = {}
        desk.after()

        telling.deliver(desk.clock)

        assert [message.subject for message in mail.outbox] == [
            "Disk almost full: SMPLAT",
            "Resolved: Disk almost full: SMPLAT",
        ]

    def test_a_channel_that_fails_is_tried_again_with_pauses_for_a_day(self, desk, settings):
        with fake_server() as server:
            settings.ALERT_URLS = [f"{server.url}/hook"]
            server.usual = Reply(500)
            desk.wrong = {Kind.DISK_FULL: ""}
            desk.after()
            assert telling.deliver(desk.clock) == 0
            assert telling.deliver(desk.clock) == 0
            assert len(server.heard) == 1

            desk.clock.pause(300)
            server.usual = Reply(200)
            assert telling.deliver(desk.clock) == 1

        assert (AlertDelivery.objects.get().state, AlertDelivery.objects.get().attempts) == ("sent", 2)

    def test_after_a_day_it_is_given_up_and_says_why(self, desk, settings):
        with fake_server() as server:
            settings.ALERT_URLS = [f"{server.url}/hook"]
            server.usual = Reply(500)
            desk.wrong = {Kind.DISK_FULL: ""}
            desk.after()
            desk.clock.pause(24 * 3600 + 1)

            telling.deliver(desk.clock)

        given_up = AlertDelivery.objects.get()
        assert (given_up.state, given_up.problem) == ("given_up", "The address answered 500.")

    def test_a_channel_that_the_settings_no_longer_name_is_given_up(self, desk, settings):
        desk.wrong = {Kind.DISK_FULL: ""}
        desk.after()
        settings.ALERT_URLS = []

        telling.deliver(desk.clock)

        assert AlertDelivery.objects.get().problem == "The settings no longer name this channel."

    @pytest.mark.django_db(transaction=True)
    def test_two_processes_send_each_message_once(self, desk, settings):
        with fake_server() as server:
            settings.ALERT_URLS = [f"{server.url}/hook"]
            telling.send_tests(desk.clock.now)
            for _ in range(9):
                telling.send_tests(desk.clock.now)
            start = threading.Barrier(2)

            def deliver() -> int:
                try:
                    start.wait()
                    return telling.deliver(desk.clock)
                finally:
                    connection.close()

            with ThreadPoolExecutor(2) as pool:
                taken = sum(future.result() for future in [pool.submit(deliver) for _ in range(2)])

        assert (taken, len(server.heard)) == (10, 10)
