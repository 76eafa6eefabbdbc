"""The provider automation alert worker, and the history of its runs."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reporting.insights import automation
from reporting.models import AutomationRun, SlackMessage
from tests.database import create_follow_up
from tests.environment import API_KEY
from tests.factories import workflow_event
from tests.fakes import Reply, closed_port_url, dripping, fake_server, tcp_server

HISTORY = "/api/v1/fulfillment/providers/automation/status/history"
NOON = datetime(2026, 11, 8, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
SUMMARY: dict[str, object] = {
    "totalEvents": 7,
    "lastCapturedAt": None,
    "actionCounts": [],
    "attachmentTotals": {},
    "providerActivity": [],
}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_summary_url(settings):
    settings.GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL = ""
    settings.PROVIDER_AUTOMATION_SLACK_WEBHOOK = "https://hooks.example/a-secret"


@pytest.fixture
def report(stranger):
    """Captures workflow events through the route that the storefront uses."""

    def make(status: str | None, at: datetime = NOON - HOUR, provider: str = "viralhub", **changes) -> None:
        event = workflow_event(
            providerId=provider,
            providerName=provider.title(),
            recordedAt=at.isoformat(),
            guardrail={"platformSlug": "youtube", "guardrailStatus": status},
            **changes,
        )
        assert stranger.post("/api/telemetry", event, format="json").json()["accepted"] == 1

    return make


def alerted() -> list[tuple[str, str]]:
    digest = automation.run(NOON).metadata["alertsDigest"]
    return [(alert["providerId"], alert["severity"]) for alert in digest]


class TestAlerts:
    def test_a_breach_is_critical_and_a_warning_a_warning(self, report):
        report("warning", provider="warned")
        report("breached", provider="breached")
        report("healthy", provider="fine")

        kept = automation.run(NOON)

        assert kept.summary == {"totalAlerts": 2, "critical": 1, "warning": 1, "providers": 3}
        assert kept.ran_at == NOON
        assert kept.metadata["alertsDigest"] == [
            {
                "providerId": "breached",
                "providerName": "Breached",
                "severity": "critical",
                "guardrailStatus": "breached",
                "platformSlug": "youtube",
                "occurredAt": "2026-11-08T11:00:00.000000Z",
            },
            {
                "providerId": "warned",
                "providerName": "Warned",
                "severity": "warning",
                "guardrailStatus": "warning",
                "platformSlug": "youtube",
                "occurredAt": "2026-11-08T11:00:00.000000Z",
            },
        ]

    def test_the_newest_status_counts_in_whatever_order_they_arrive(self, report):
        report("healthy", NOON - HOUR, "fixed")
        report("breached", NOON - 2 * HOUR, "fixed")
        report("breached", NOON - HOUR, "broken")
        report("healthy", NOON - 2 * HOUR, "broken")

        assert alerted() == [("broken", "critical")]

    def test_an_event_without_a_status_says_nothing_about_it(self, report):
        report("breached", NOON - 2 * HOUR)
        report(None, NOON - HOUR)

        assert alerted() == [("viralhub", "critical")]

    @pytest.mark.parametrize("at", [NOON - 24 * HOUR, NOON + timedelta(seconds=1)])
    def test_it_looks_at_the_last_day_and_not_at_clocks_that_run_ahead(self, report, at):
        report("breached", at)

        assert alerted() == []

    def test_a_follow_up_after_the_breach_silences_it(self, report):
        report("breached", NOON - 2 * HOUR)
        create_follow_up(provider_id="viralhub", action="escalate", created_at=NOON - HOUR)

        assert alerted() == []

    def test_a_follow_up_before_the_breach_or_of_another_provider_does_not(self, report):
        report("breached", NOON - 2 * HOUR)
        create_follow_up(provider_id="viralhub", action="escalate", created_at=NOON - 3 * HOUR)
        create_follow_up(provider_id="another", action="escalate", created_at=NOON - HOUR)

        assert alerted() == [("viralhub", "critical")]

    def test_of_equals_the_newest_comes_first(self, report):
        report("breached", NOON - 3 * HOUR, "older")
        report("breached", NOON - HOUR, "newer")

        assert [provider for provider, _ in alerted()] == ["newer", "older"]

    def test_the_number_of_queries_does_not_grow_with_the_providers(self, report, django_assert_max_num_queries):
        for index in range(20):
            report("breached", provider=f"provider-{index}")

        with django_assert_max_num_queries(7):
            automation.run(NOON)

    def test_of_two_statuses_at_one_time_the_last_to_arrive_counts(self, report):
        report("breached")
        report("healthy")
        report("healthy", provider="another")
        report("breached", provider="another")

        assert alerted() == [("another", "critical")]

    def test_an_index_alone_tells_when_providers_reported(self):
        with connection.cursor() as cursor, CaptureQueriesContext(connection) as asked:
            automation.latest_statuses(NOON)
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            cursor.execute(f"EXPLAIN {asked[0]['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())

        assert "Index Only Scan using workflow_newest_statuses" in plan

    def test_it_runs_every_hour(self):
        from smplat.celery import app

        entry = app.conf.beat_schedule["provider automation alerts"]

        assert entry["task"] == "reporting.alert_on_providers"
        assert (len(entry["schedule"].minute), len(entry["schedule"].hour)) == (1, 24)


class TestDigest:
    def test_slack_is_told_of_alerts(self, report):
        report("breached", provider="viral <!channel>")

        kept = automation.run(NOON)

        message = SlackMessage.objects.get()
        assert (message.dedupe_key, message.webhook) == (
            f"automation:{kept.pk}",
            "PROVIDER_AUTOMATION_SLACK_WEBHOOK",
        )
        head, line = message.text.split("\n")
        assert head == "*Provider guardrails*: 1 critical, 0 warning, not followed up"
        assert line.startswith("• critical: <http")
        assert line.endswith("|Viral &lt;!Channel&gt;> breached on youtube at 2026-11-08 11:00 UTC")

    def test_a_quiet_hour_is_kept_and_slack_left_alone(self, report):
        report("healthy")

        automation.run(NOON)

        assert AutomationRun.objects.count() == 1
        assert not SlackMessage.objects.exists()

    def test_a_long_list_is_cut_and_says_so(self, report):
        for index in range(23):
            report("breached", provider=f"provider-{index}")

        automation.run(NOON)

        lines = SlackMessage.objects.get().text.split("\n")
        assert (len(lines), lines[-1]) == (22, "… and 3 more.")


class TestWorkflowSummary:
    @pytest.fixture
    def server(self, settings):
        """The server that the setting points to; it answers with ``SUMMARY``."""
        with fake_server() as server:
            server.usual = Reply(body=json.dumps(SUMMARY).encode())
            settings.GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL = f"{server.url}/summary?limit=5"
            yield server

    def telemetry(self) -> tuple[object, str]:
        metadata = automation.run(NOON).metadata
        return metadata["workflowTelemetry"], metadata.get("workflowTelemetryError", "")

    def test_without_a_url_it_is_computed_here(self, report, api):
        report("healthy")

        summary, error = self.telemetry()

        assert summary == api.get("/api/reporting/guardrail-workflow").json()
        assert error == ""

    def test_it_is_read_from_the_url(self, server):
        assert self.telemetry() == (SUMMARY, "")
        assert server.heard[0].path == "/summary?limit=5"

    def test_a_foreign_origin_never_sees_the_key(self, server, settings):
        settings.PUBLIC_BASE_URL = f"http://127.0.0.1:{server.server_port + 1}"

        self.telemetry()

        assert API_KEY not in str(server.heard[0].headers)

    def test_this_installation_gets_the_first_key(self, server, settings):
        settings.PUBLIC_BASE_URL = server.url
        settings.CHECKOUT_API_KEYS = ["first-key", "second-key"]

        self.telemetry()

        assert server.heard[0].headers["X-API-Key"] == "first-key"

    def test_without_a_key_none_is_sent(self, server, settings):
        settings.PUBLIC_BASE_URL = server.url
        settings.CHECKOUT_API_KEYS = []

        assert self.telemetry() == (SUMMARY, "")

    @pytest.mark.parametrize(
        ("url", "same"),
        [
            ("https://desk.example/summary", True),
            ("https://desk.example:443/summary", True),
            ("https://DESK.example/summary", True),
            ("http://desk.example/summary", False),
            ("https://desk.example:8443/summary", False),
            ("https://desk.example.evil.example/summary", False),
            ("https://desk.example@evil.example/summary", False),
        ],
    )
    def test_the_origin_is_scheme_host_and_port(self, settings, url, same):
        settings.PUBLIC_BASE_URL = "https://desk.example"

        assert bool(automation._api_key_for(url)) is same

    @pytest.mark.parametrize(
        ("reply", "problem"),
        [
            (Reply(500), "answered 500"),
            (Reply(302, headers={"Location": "/elsewhere"}), "answered 302"),
            (Reply(body=b""), "the answer is not JSON"),
            (Reply(body=b"<html>"), "the answer is not JSON"),
            (Reply(body=b"[]"), "the answer is not JSON"),
            (Reply(body=b'[{"a": 1}]'), "the answer is not a JSON object"),
            (Reply(body=b"7"), "the answer is not a JSON object"),
            (Reply(body=b'{"a": "\\u0000"}'), "the answer cannot be stored; a: holds a NUL character"),
            (Reply(body=b'{"a": NaN}'), "the answer cannot be stored; a: NaN is not a JSON number"),
            (Reply(body=b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}"), "the answer cannot be stored; a[0]"),
            (Reply(body=b'{"a": "' + b"x" * 1_048_576 + b'"}'), "the answer is larger than 1 MiB"),
        ],
    )
    def test_a_broken_url_is_noted_and_stops_nothing(self, server, report, reply, problem):
        server.usual = reply
        report("breached")

        kept = automation.run(NOON)

        assert kept.metadata["workflowTelemetry"] is None
        error = kept.metadata["workflowTelemetryError"]
        assert error.startswith(f"GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL: {problem}")
        assert len(server.heard) == 1, "redirects are not followed"
        assert SlackMessage.objects.count() == 1

    def test_so_is_one_that_nobody_listens_at(self, settings):
        settings.GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL = f"{closed_port_url()}/a-secret"

        assert self.telemetry() == (
            None,
            "GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL: could not be reached (ConnectError).",
        )

    def test_so_is_one_that_does_not_answer_in_time(self, server, monkeypatch):
        monkeypatch.setattr(automation, "_TIMEOUT_SECONDS", 0.1)
        server.gate.clear()

        assert "ReadTimeout" in self.telemetry()[1]

    def test_so_is_one_that_takes_too_long_over_it(self, settings, monkeypatch):
        monkeypatch.setattr(automation, "_TIMEOUT_SECONDS", 0.1)
        with tcp_server(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" ")) as address:
            settings.GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL = f"http://{address}/"

            assert "not complete" in self.telemetry()[1]


class TestHistory:
    def test_it_serves_the_runs_newest_first(self, api, report):
        report("breached")
        for hours in range(3):
            automation.run(NOON + hours * HOUR)

        body = api.get(HISTORY).json()

        assert body["replay"] == []
        assert [run["ranAt"] for run in body["alerts"]] == [
            "2026-11-08T14:00:00.000000Z",
            "2026-11-08T13:00:00.000000Z",
            "2026-11-08T12:00:00.000000Z",
        ]
        newest = body["alerts"][0]
        assert list(newest) == ["ranAt", "summary", "metadata"]
        assert newest["summary"]["critical"] == 1
        assert set(newest["metadata"]) == {"alertsDigest", "workflowTelemetry"}

    def test_it_is_empty_at_first(self, api):
        assert api.get(HISTORY).json() == {"alerts": [], "replay": []}

    def test_the_limit_is_twenty_unless_given(self, api):
        AutomationRun.objects.bulk_create(
            AutomationRun(ran_at=NOON + index * HOUR, summary={}, metadata={}) for index in range(120)
        )

        counts = {query: len(api.get(HISTORY + query).json()["alerts"]) for query in ("", "?limit=1", "?limit=100")}

        assert counts == {"": 20, "?limit=1": 1, "?limit=100": 100}

    @pytest.mark.parametrize("limit", ["0", "101", "-1", "", "x", "1.5", "\u0661", "9" * 5_000, "1\x00", "+1", " 1"])
    def test_a_limit_out_of_range_is_named(self, api, limit):
        answer = api.get(HISTORY, {"limit": limit})

        assert answer.status_code == 400
        assert answer.json() == {"limit": ["Must be a whole number from 1 to 100."]}

    def test_strangers_and_operators_without_the_permission_are_kept_out(self, stranger, staff_with):
        assert stranger.get(HISTORY).status_code == 401
        assert staff_with().get(HISTORY).status_code == 403
        assert staff_with("reporting.view_automationrun").get(HISTORY).status_code == 200
