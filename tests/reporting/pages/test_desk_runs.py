"""Runs on the desk: preview, start, progress, page, retry and history."""

from datetime import timedelta

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting.exports import previews, runs
from reporting.exports.progress import Meter
from reporting.feeds import FEEDS
from reporting.lake import storage
from reporting.lake.manifests import manifest_uri
from reporting.models import ExportRun
from tests.database import add_quick_orders, capture, database_url, export
from tests.factories import quick_order_event

RUNS = "/admin/reports/runs/"
FOLLOW_UPS = "/api/v1/reporting/guardrails/followups"
START = "/admin/reports/feeds/quick_order/start"


def text(answer) -> str:
    return " ".join(answer.content.decode().split())


@pytest.mark.django_db
class TestPreview:
    def test_it_counts_what_the_run_then_exports(self, operator):
        capture([quick_order_event() for _ in range(7)])

        page = text(operator.get(START))
        run = export()

        assert f"<dt>Rows</dt><dd>{run.rows}</dd>" in page
        assert run.rows == 7

    def test_beyond_its_limit_it_estimates_from_the_density_of_positions(self, monkeypatch):
        monkeypatch.setattr(previews, "MAX_COUNTED", 500)
        add_quick_orders(6_000)

        preview = previews.preview(FEEDS["quick_order"])

        assert not preview.is_exact
        assert 5_700 <= preview.rows <= 6_300

    def test_an_incremental_feed_counts_what_lies_behind_its_checkpoint(self, operator, api):
        for number in range(3):
            api.post(FOLLOW_UPS, {"providerId": f"p-{number}", "action": "pause"}, format="json")

        assert previews.preview(FEEDS["guardrail_followups"]).rows == 3
        export("guardrail_followups")

        assert previews.preview(FEEDS["guardrail_followups"]).rows == 0
        assert "There is nothing to export" in text(operator.get("/admin/reports/feeds/guardrail_followups/start"))

    def test_a_run_in_progress_is_told(self, operator):
        run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.SCHEDULE)
        ExportRun.objects.filter(pk=run.pk).update(state="running")

        page = text(operator.get(START))

        assert "A run of this feed is in progress" in page
        assert run.get_absolute_url() in page

    def test_it_names_a_webhook_by_its_setting_and_never_by_its_address(self, operator, settings, api):
        settings.ANALYTICS_GUARDRAIL_WEBHOOK = "https://hooks.example/secret-token"
        api.post(FOLLOW_UPS, {"providerId": "p", "action": "pause"}, format="json")

        page = text(operator.get("/admin/reports/feeds/guardrail_followups/start"))

        assert "ANALYTICS_GUARDRAIL_WEBHOOK" in page
        assert "secret-token" not in page

    def test_it_needs_the_permission_to_start(self, staff_with):
        assert staff_with("reporting.view_exportrun").get(START).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_preview_does_not_wait_for_writers(operator, monkeypatch):
    monkeypatch.setattr(previews, "TIMEOUT", timedelta(milliseconds=50))
    with psycopg.connect(database_url()) as writer:
        writer.execute("LOCK TABLE telemetry_quickorderevent IN ROW EXCLUSIVE MODE")

        page = text(operator.get(START))

        assert f"database process {writer.info.backend_pid}" in page
        assert "Start the run" in page


@pytest.mark.django_db
class TestProgress:
    def test_it_tells_how_many_rows_are_done(self, operator):
        run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.OPERATOR)
        ExportRun.objects.filter(pk=run.pk).update(
            state="running", started_at=timezone.now(), expected_rows=400, delivered_rows=100
        )

        answer = operator.get(f"{run.get_absolute_url()}/progress")

        assert '<progress aria-label="Progress of the run" max="400" value="100">' in text(answer)
        assert "HX-Refresh" not in answer.headers

    def test_it_speaks_of_one_row(self, operator):
        run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.OPERATOR)
        ExportRun.objects.update(state="running", started_at=timezone.now(), expected_rows=1, delivered_rows=0)

        assert "0 of 1 row</strong>" in text(operator.get(f"{run.get_absolute_url()}/progress"))

    def test_a_run_that_ended_has_its_page_loaded_anew(self, operator):
        capture([quick_order_event()])

        assert operator.get(f"{export().get_absolute_url()}/progress")["HX-Refresh"] == "true"

    def test_an_export_notes_how_many_rows_it_expects(self):
        capture([quick_order_event() for _ in range(4)])

        assert export().expected_rows == 4

    def test_notes_are_at_most_two_a_second(self, monkeypatch):
        run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.OPERATOR)
        clock = iter([0.0, 0.1, 0.4, 0.6, 0.9, 1.2])
        monkeypatch.setattr("reporting.exports.progress.time.monotonic", lambda: next(clock))
        meter = Meter(run, 100)

        noted = []
        for rows in (10, 20, 30, 40, 50):
            meter.note(rows)
            noted.append(ExportRun.objects.get(pk=run.pk).delivered_rows)

        assert noted == [0, 0, 30, 30, 50]

    def test_a_page_of_a_queued_run_follows_it(self, operator):
        run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.OPERATOR)

        page = text(operator.get(run.get_absolute_url()))

        assert f'hx-get="{run.get_absolute_url()}/progress"' in page
        assert "Waiting for a worker (usually a few seconds)." in page


@pytest.mark.django_db
class TestRunPage:
    def test_it_shows_steps_with_the_time_each_took(self, operator):
        capture([quick_order_event()])
        run = export()
        lines = list(run.log_lines.all())
        lines[1].at = lines[0].at + timedelta(seconds=2.5)
        lines[1].save()

        page = text(operator.get(run.get_absolute_url()))

        assert f'<span class="runs-took">+2.50 s</span> {lines[1].message}' in page

    @pytest.mark.parametrize(
        ("size", "shown"), [(390, "<dd>390 bytes</dd>"), (2_048, '2.0 KB <span class="desk-quiet">2048 bytes</span>')]
    )
    def test_a_size_is_said_once(self, operator, size, shown):
        run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.OPERATOR)
        ExportRun.objects.update(state="succeeded", bytes=size)

        assert shown in text(operator.get(run.get_absolute_url()))

    def test_the_steps_of_one_row_speak_of_one_row(self, operator):
        capture([quick_order_event()])

        page = text(operator.get(export().get_absolute_url()))

        assert "Read 1 row, positions" in page
        assert "1 rows" not in page

    def test_the_receipt_is_the_manifest_of_the_object(self, operator):
        capture([quick_order_event() for _ in range(2)])
        run = export()

        page = text(operator.get(f"{run.get_absolute_url()}/receipt"))

        assert "<dt>rows</dt><dd><code>2</code></dd>" in page
        assert "<dt>sha256</dt>" in page

    def test_a_receipt_that_is_gone_is_explained(self, operator, tmp_path):
        capture([quick_order_event()])
        run = export()
        (tmp_path / "lake").rename(tmp_path / "elsewhere")

        assert "The receipt cannot be read: cannot read file://" in text(
            operator.get(f"{run.get_absolute_url()}/receipt")
        )

    @pytest.mark.parametrize("manifest", ['{"rows": 1}', "[]", '{"rows":' * 900 + "1" + "}" * 900, "{"])
    def test_a_receipt_that_is_damaged_is_explained(self, operator, manifest):
        capture([quick_order_event()])
        run = export()
        storage.write(manifest_uri(run.object_uri), manifest.encode())

        assert "The receipt cannot be read: the manifest is not JSON, or a part of it is missing." in text(
            operator.get(f"{run.get_absolute_url()}/receipt")
        )

    @pytest.mark.parametrize(("state", "is_offered"), [("failed", True), ("skipped", True), ("succeeded", False)])
    def test_retry_is_offered_for_runs_that_exported_nothing(self, operator, state, is_offered):
        run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.SCHEDULE)
        ExportRun.objects.filter(pk=run.pk).update(state=state)

        assert ("Retry" in text(operator.get(run.get_absolute_url()))) is is_offered

    def test_a_retry_is_a_run_of_the_same_feed(self, operator, eager_tasks):
        run = export()
        assert run.state == "skipped"
        capture([quick_order_event()])

        answer = operator.post(f"{run.get_absolute_url()}/retry")

        again = ExportRun.objects.exclude(pk=run.pk).get()
        assert answer.url == again.get_absolute_url()
        assert (again.feed, again.state, again.rows) == ("quick_order", "succeeded", 1)

    def test_a_run_that_succeeded_cannot_be_retried(self, operator):
        capture([quick_order_event()])

        assert operator.post(f"{export().get_absolute_url()}/retry").status_code == 404

    def test_retry_needs_the_permission_to_start(self, staff_with):
        run = export()
        viewer = staff_with("reporting.view_exportrun")

        assert "Retry" not in text(viewer.get(run.get_absolute_url()))
        assert viewer.post(f"{run.get_absolute_url()}/retry").status_code == 403


@pytest.mark.django_db
class TestHistory:
    @pytest.fixture
    def history(self):
        """Runs of two feeds, states and triggers, a day apart from each other, the newest first."""
        made = []
        for days, feed, state, trigger, user in (
            (0, "quick_order", "failed", "operator", "mia"),
            (1, "quick_order", "succeeded", "schedule", None),
            (2, "guardrail_followups", "failed", "schedule", None),
        ):
            by = User.objects.create_user(user) if user else None
            run = runs.request_run(FEEDS[feed], ExportRun.Trigger(trigger), by.pk if by else None)
            ExportRun.objects.filter(pk=run.pk).update(state=state, created_at=timezone.now() - timedelta(days=days))
            made.append(run)
        return made

    def listed(self, client, **query) -> str:
        return text(client.get(RUNS, query))

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, [0, 1, 2]),
            ({"feed": "quick_order"}, [0, 1]),
            ({"state": "failed"}, [0, 2]),
            ({"trigger": "schedule"}, [1, 2]),
            ({"user": "mia"}, [0]),
            ({"user": "nobody"}, []),
            ({"feed": "quick_order", "state": "succeeded"}, [1]),
        ],
    )
    def test_filters_choose_runs(self, operator, history, query, expected):
        page = self.listed(operator, **query)

        assert [index for index, run in enumerate(history) if run.get_absolute_url() in page] == expected

    def test_dates_are_whole_days_in_utc(self, operator, history):
        day = ExportRun.objects.get(pk=history[1].pk).created_at.date().isoformat()

        page = self.listed(operator, since=day, until=day)

        assert [run.get_absolute_url() in page for run in history] == [False, True, False]

    @pytest.mark.parametrize(
        ("query", "problem"),
        [
            ({"feed": "nothing"}, "nothing is not one of the available choices"),
            ({"state": "<b>"}, "&lt;b&gt; is not one of the available choices"),
            ({"since": "yesterday"}, "Enter a valid date."),
            ({"user": "x" * 10_000}, "at most 150 characters"),
            ({"before": "7"}, "Enter a valid UUID."),
            ({"before": "0f3b6a52-6f5e-4a4b-9d57-1c2f6b0a7e94"}, "start at the newest run"),
            ({"user": "a\x00b"}, "Null characters are not allowed."),
        ],
    )
    def test_a_bad_filter_is_named(self, operator, query, problem):
        answer = operator.get(RUNS, query)

        assert answer.status_code == 400
        assert problem in text(answer)

    def test_pages_hold_every_run_once_also_those_of_one_moment(self, operator):
        moment = timezone.now()
        for _ in range(120):
            runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.SCHEDULE)
        ExportRun.objects.update(created_at=moment)
        seen, url = [], f"{RUNS}?feed=quick_order"
        while url:
            answer = operator.get(url)
            seen += [run.pk for run in answer.context["runs"]]
            url = answer.context.get("older")

        assert len(seen) == len(set(seen)) == 120

    def test_it_takes_the_same_statements_however_many_runs_there_are(self, operator, history):
        def count() -> int:
            with CaptureQueriesContext(connection) as queries:
                operator.get(RUNS)
            return len(queries)

        few = count()
        for _ in range(60):
            runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.SCHEDULE)

        assert count() == few <= 7

    def test_an_empty_history_says_what_starts_a_run(self, operator):
        assert "The first one starts by schedule" in text(operator.get(RUNS))
        assert "No run matches." in text(operator.get(RUNS, {"state": "failed"}))
