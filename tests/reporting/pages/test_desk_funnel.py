"""The funnel section: storefront against export, drift and its causes, reasons and days."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting.feeds import FEEDS
from reporting.insights import drift, published
from reporting.models import ExportRun
from tests.database import capture, export
from tests.factories import quick_order_event, workflow_event
from tests.fakes import Reply, fake_server

REPORTS = "/admin/reports"

pytestmark = pytest.mark.django_db


def events(starts: int = 0, aborts: int = 0, completes: int = 0, **fields) -> None:
    names = ["start"] * starts + ["abort"] * aborts + ["complete"] * completes
    capture([quick_order_event(name=f"quick_order.{name}", **fields) for name in names])


def comparison() -> drift.Comparison:
    return drift.compare(drift.live_window(), published.statuses()["quick_order"])


def figures(name: str) -> dict[str, float | None]:
    return {figure.key: getattr(figure, name) for figure in comparison().figures}


def shown(client) -> str:
    page = " ".join(client.get(REPORTS).content.decode().split())
    return page[page.index('id="funnel"') : page.index('id="workflow"')]


def falsify(run, **metrics) -> None:
    """Let the status of a run say other counts than its events have."""
    run.status["metrics"].update(metrics)
    ExportRun.objects.filter(pk=run.pk).update(status=run.status)


class TestComparison:
    def test_without_an_export_there_is_the_storefront_alone(self):
        events(starts=4, aborts=1, completes=2)

        assert figures("live") == {"startCount": 4, "abortCount": 1, "completeCount": 2, "completionRate": 50}
        assert set(figures("export").values()) == {None}

    @pytest.mark.habit(
        "The delta was export − storefront: negative where the export had fewer.",
        "The same sign, over the events that the export held.",
    )
    def test_the_delta_is_export_minus_storefront(self):
        events(starts=10, completes=5)
        falsify(export(), startCount=8, completionRate=63)

        assert figures("delta") == {"startCount": -2, "abortCount": 0, "completeCount": 0, "completionRate": 13}

    @pytest.mark.habit(
        "The export was compared with the newest 5,000 events, so that the delta grew until the next run.",
        "The export is compared with the events that it held; newer ones are counted as newer.",
    )
    def test_events_after_the_export_are_neither_delta_nor_drift(self):
        events(starts=10, completes=5)
        export()
        events(starts=10)

        assert figures("live")["startCount"] == 20
        assert figures("delta") == {"startCount": 0, "abortCount": 0, "completeCount": 0, "completionRate": 0}
        assert figures("drift") == {"startCount": 0, "abortCount": 0, "completeCount": 0, "completionRate": 0}
        assert (comparison().newer, comparison().is_drifting) == (10, False)

    @pytest.mark.parametrize(("said", "drifts"), [(100, False), (96, False), (95, False), (94, True), (106, True)])
    def test_drift_over_five_per_cent_is_marked(self, said, drifts):
        events(starts=100)
        falsify(export(), startCount=said)

        assert comparison().is_drifting is drifts

    def test_drift_of_the_rate_is_in_points(self):
        events(starts=10, completes=5)
        falsify(export(), completionRate=44)

        assert figures("drift")["completionRate"] == 6

    def test_a_window_that_slid_on_is_compared_over_what_the_export_covers(self, monkeypatch):
        from dataclasses import replace

        monkeypatch.setitem(FEEDS, "quick_order", replace(FEEDS["quick_order"], window=5))
        events(starts=5)
        export()
        events(aborts=5)

        assert figures("live")["startCount"] == 0
        assert figures("drift")["startCount"] == 0
        assert comparison().newer_fill_window

    def test_a_status_of_another_installation_covers_what_had_arrived(self, settings):
        events(starts=10)
        synced_at = timezone.now()
        events(starts=3)
        status = {
            "syncedAt": synced_at.isoformat(),
            "events": 10,
            "downloadUrl": "",
            "workflowUrl": "",
            "metrics": {"startCount": 8, "abortCount": 0, "completeCount": 0, "completionRate": 0},
        }
        with fake_server() as server:
            server.usual = Reply(body=json.dumps(status).encode())
            settings.STATUS_URLS = {**settings.STATUS_URLS, "quick_order": server.url}

            assert comparison().newer == 3
            assert figures("covered")["startCount"] == 10
            assert figures("drift")["startCount"] == 20

    def test_too_many_events_to_compare_is_said(self, monkeypatch):
        monkeypatch.setattr(drift, "MAX_COMPARED", 4)
        events(starts=5)
        export()

        assert comparison().uncompared == "The export holds 5 events; more than 4 are not compared."
        assert set(figures("delta").values()) == set(figures("drift").values()) == {None}

    def test_an_export_older_than_the_retention_is_not_compared(self, settings):
        events(starts=5)
        settings.TELEMETRY_RETENTION = timedelta(0)
        export()

        assert "older than the retention" in comparison().uncompared


class TestRuns:
    def test_each_run_is_counted_once_more_in_the_database(self):
        events(starts=4, aborts=2)

        assert export().live_metrics == {
            "startCount": 4,
            "abortCount": 2,
            "completeCount": 0,
            "completionRate": 0,
        }

    def test_their_drift_is_listed_oldest_first(self):
        events(starts=100)
        falsify(export(), startCount=80)
        events(starts=1)
        export()

        assert [round(item.percent) for item in drift.of_runs()] == [20, 0]

    @pytest.mark.parametrize("status", [[], {"metrics": 1}, {"metrics": {"startCount": {"a": 1}}}, {"metrics": None}])
    def test_a_damaged_status_of_a_run_counts_as_holding_nothing(self, operator, status):
        events(starts=1)
        export()
        ExportRun.objects.update(status=status)

        assert [item.percent for item in drift.of_runs()] == [100]
        assert operator.get(REPORTS).status_code == 200


class TestPage:
    def test_an_empty_desk_says_what_to_do(self, operator):
        assert "No quick-order event was captured yet." in shown(operator)

    def test_it_says_how_many_are_newer_than_the_export(self, operator):
        events(starts=2)
        export()
        events(starts=3)

        page = shown(operator)

        assert "3 newer than the export" in page
        assert "No drift" in page
        assert "+3" not in page

    def test_the_chart_compares_the_same_events(self, operator):
        events(starts=2)
        export()
        events(starts=3)

        bars = operator.get(REPORTS).context["funnel"]["chart"].groups[0].bars

        assert [(bar.series, bar.value) for bar in bars] == [("storefront", 2), ("export", 2)]

    def test_a_delta_carries_its_sign(self, operator):
        events(starts=100)
        falsify(export(), startCount=97, abortCount=2)

        page = shown(operator)

        assert '<td class="desk-number">-3</td>' in page
        assert '<td class="desk-number">+2</td>' in page

    def test_drift_is_marked_in_words_and_leads_to_the_run(self, operator):
        events(starts=100)
        run = export()
        falsify(run, startCount=80)

        page = shown(operator)

        assert "Drift over 5 %" in page
        assert run.get_absolute_url() in page

    def test_reasons_are_counted_and_inert(self, operator):
        events(aborts=3, reason="too expensive")
        events(aborts=1, reason="<script>alert(1)</script>" + "x" * 300)
        events(aborts=1)

        page = shown(operator)

        assert "too expensive" in page
        assert "not given" in page
        assert "&lt;script&gt;alert(1)" in page
        assert "x" * 81 not in page

    @pytest.mark.parametrize("reason", [["a", {"b": 1}], 7, {"deep": "<b>"}])
    def test_a_reason_of_another_type_is_shown_as_it_is(self, operator, reason):
        events(aborts=1, reason=reason)

        assert operator.get(REPORTS).status_code == 200

    def test_the_days_are_the_last_seven_in_utc(self, operator):
        now = datetime.now(UTC)
        for days, count in ((0, 1), (6, 2), (7, 4)):
            events(starts=count, recordedAt=(now - timedelta(days=days)).isoformat())

        context = operator.get(REPORTS).context
        assert [series["starts"] for _, series in context["funnel"]["days"]] == [2, 0, 0, 0, 0, 0, 1]

    def test_the_section_costs_the_same_statements_whatever_there_is(self, rf):
        from reporting.pages import funnel, workflow

        def count() -> int:
            with CaptureQueriesContext(connection) as queries:
                funnel.section(rf.get(REPORTS))
                workflow.section(rf.get(REPORTS))
            return len(queries)

        events(starts=1)
        export()
        few = count()
        events(starts=300, aborts=50)
        capture([workflow_event() for _ in range(50)])
        export()

        assert count() == few <= 7


class TestWorkflow:
    def test_it_shows_actions_attachments_and_providers(self, operator):
        capture([workflow_event() for _ in range(3)])
        capture([workflow_event(workflowAction="queue.pause", providerId="p&q", providerName="<b>P</b>")])

        page = operator.get(REPORTS).content.decode()

        assert "attachment.upload" in page
        assert 'href="?providerId=p%26q#followups"' in page
        assert "&lt;b&gt;P&lt;/b&gt;" in page

    def test_a_provider_without_an_id_has_no_page(self, operator):
        capture([workflow_event(providerId=None), workflow_event(providerId=None, providerName=None)])

        page = operator.get(REPORTS).content.decode()

        assert '<th scope="row">ViralHub</th>' in page
        assert '<th scope="row">Unknown provider</th>' in page

    def test_an_empty_one_says_what_to_do(self, operator):
        assert "No workflow event was captured yet." in operator.get(REPORTS).content.decode()
