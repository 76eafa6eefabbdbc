"""The operator pages, without a browser."""

import csv
import io
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.insights import freshness
from reporting.models import AuditEntry, ExportRun
from telemetry.models import QuickOrderEvent
from tests.database import capture, database_url, export
from tests.factories import quick_order_event, workflow_event

REPORTS, RUNS = "/admin/reports", "/admin/reports/runs/"
START = "/admin/reports/feeds/quick_order/start"
CSV = "/admin/reports/feeds/quick_order/csv"


@pytest.fixture
def run(db) -> ExportRun:
    """A successful run over three quick orders."""
    capture([quick_order_event() for _ in range(3)])
    return export()


def table(answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.getvalue().decode(), newline="")))


@pytest.mark.django_db
class TestReports:
    def test_an_empty_desk_says_what_to_do(self, operator):
        page = operator.get(REPORTS).content.decode()

        assert "No run yet" in page
        assert "No rows yet" in page

    def test_a_card_tells_of_the_last_run(self, operator, run):
        page = operator.get(REPORTS).content.decode()

        assert "Succeeded" in page
        assert run.get_absolute_url() in page
        assert "desk-state-late" not in page

    def test_a_feed_without_a_recent_success_is_marked_late(self, operator, run):
        ExportRun.objects.update(finished_at=timezone.now() - timedelta(hours=2))

        assert "desk-state-late" in operator.get(REPORTS).content.decode()

    def test_a_failed_run_shows_its_error(self, operator, run):
        ExportRun.objects.update(state="failed", error="Cannot write <the lake>.")

        assert "Cannot write &lt;the lake&gt;." in operator.get(REPORTS).content.decode()

    def test_an_incremental_feed_that_had_nothing_new_is_not_late(self, operator):
        for state, hours in (("succeeded", 5), ("skipped", 0)):
            request = runs.request_run(FEEDS["onboarding_segments"], ExportRun.Trigger.SCHEDULE)
            at = timezone.now() - timedelta(hours=hours)
            ExportRun.objects.filter(pk=request.pk).update(state=state, started_at=at, finished_at=at, created_at=at)

        page = operator.get(REPORTS).content.decode()

        assert "desk-state-succeeded" in page
        assert "desk-state-late" not in page

    def test_a_writer_that_holds_an_export_back_is_named(self, operator, run, monkeypatch):
        monkeypatch.setattr(freshness, "LONG_WRITER", timedelta(0))
        with psycopg.connect(database_url()) as writer:
            writer.execute("LOCK TABLE telemetry_quickorderevent IN ROW EXCLUSIVE MODE")

            page = operator.get(REPORTS).content.decode()

            assert f"Held back by database process {writer.info.backend_pid}" in page

    def test_markup_in_an_event_is_inert(self, operator):
        capture([quick_order_event(productTitle="<script>alert(1)</script>")])

        page = operator.get(REPORTS).content.decode()

        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page

    def test_it_takes_the_same_statements_however_much_there_is(self, operator, run):
        def count() -> int:
            with CaptureQueriesContext(connection) as queries:
                operator.get(REPORTS)
            return len(queries)

        before = count()
        capture([quick_order_event() for _ in range(200)])
        capture([workflow_event() for _ in range(200)])
        for _ in range(5):
            export()

        assert count() == before <= 33


@pytest.mark.django_db
class TestRunPages:
    def test_the_list_links_to_every_run(self, operator, run):
        assert run.get_absolute_url() in operator.get(RUNS).content.decode()

    def test_a_page_shows_object_checkpoint_and_log(self, operator, run):
        page = operator.get(run.get_absolute_url()).content.decode()

        assert run.object_uri in page
        assert "Wrote the manifest" in page
        assert f"position {run.checkpoint_after['position']}" in page

    def test_a_run_that_goes_on_refreshes_its_page(self, operator, run):
        refresh = '<meta http-equiv="refresh"'
        assert refresh not in operator.get(run.get_absolute_url()).content.decode()

        ExportRun.objects.update(state="running")

        assert refresh in operator.get(run.get_absolute_url()).content.decode()

    def test_the_download_is_the_object(self, operator, run):
        from reporting.lake import storage

        answer = operator.get(f"{run.get_absolute_url()}/download")

        assert answer.getvalue() == b"".join(storage.read(run.object_uri))
        assert int(answer["Content-Length"]) == run.bytes

    def test_an_object_that_is_gone_is_explained_on_the_runs_page(self, operator, run, tmp_path):
        (tmp_path / "lake").rename(tmp_path / "elsewhere")

        answer = operator.get(f"{run.get_absolute_url()}/download", follow=True)

        assert "The export cannot be served" in answer.content.decode()

    def test_the_artifact_endpoint_serves_the_newest_success(self, operator, run):
        from reporting.lake import storage

        assert operator.get("/api/reporting/quick-order-export").getvalue() == b"".join(storage.read(run.object_uri))
        assert operator.get("/api/reporting/guardrail-workflow-export").status_code == 503

    def test_who_has_the_newest_success_is_told_so(self, operator, run):
        first = operator.get("/api/reporting/quick-order-export")
        assert first.getvalue()
        downloads = AuditEntry.objects.count()

        answer = operator.get("/api/reporting/quick-order-export", headers={"If-None-Match": first["ETag"]})

        assert (answer.status_code, answer.content) == (304, b"")
        assert AuditEntry.objects.count() == downloads == 1


@pytest.mark.django_db
class TestCsv:
    def test_it_holds_the_warehouse_columns_newest_first(self, operator, run):
        rows = table(operator.get(CSV))

        assert rows[0] == [column.name for column in FEEDS["quick_order"].columns]
        newest = QuickOrderEvent.objects.order_by("-position")[0]
        assert rows[1][0] == str(newest.event_id)
        assert rows[1][6] == "2026-11-08T08:04:48.397000Z"
        assert len(rows) == 4

    def test_the_lines_end_as_rfc_4180_says(self, operator, run):
        assert operator.get(CSV).getvalue().count(b"\r\n") == 4

    @pytest.mark.parametrize("start", list("=+-@\t\r"))
    def test_a_cell_that_a_spreadsheet_would_run_is_defused(self, operator, start):
        capture([quick_order_event(productTitle=f"{start}HYPERLINK(1)")])

        assert table(operator.get(CSV))[1][4] == f"'{start}HYPERLINK(1)"

    def test_quotes_commas_and_line_breaks_survive(self, operator):
        title = 'a "quoted", title\r\nin two lines 🛒'
        capture([quick_order_event(productTitle=title)])

        assert table(operator.get(CSV))[1][4] == title

    def test_everything_is_more_than_a_page(self, operator):
        capture([quick_order_event() for _ in range(600)])

        assert len(table(operator.get(CSV, {"rows": "100"}))) == 101
        assert len(table(operator.get(CSV, {"rows": "all"}))) == 601

    def test_another_number_of_rows_is_not_offered(self, operator):
        assert operator.get(CSV, {"rows": "7"}).status_code == 400


@pytest.mark.django_db
class TestStart:
    def test_it_queues_a_run_and_leads_to_its_page(self, operator, eager_tasks):
        capture([quick_order_event()])

        answer = operator.post(START)

        run = ExportRun.objects.get()
        assert answer.url == run.get_absolute_url()
        assert (run.state, run.trigger, str(run.requested_by)) == ("succeeded", "operator", "operator")

    def test_a_broker_that_is_down_is_explained(self, operator, monkeypatch):
        from reporting.tasks import export_requested

        def fail(*args, **options):
            raise OSError("no broker")

        monkeypatch.setattr(export_requested, "apply_async", fail)

        answer = operator.post(START, follow=True)

        assert "the broker cannot be reached. It starts within a minute after" in answer.content.decode()
        assert ExportRun.objects.get().state == "queued"

    def test_only_a_feed_can_be_started(self, operator):
        assert operator.post("/admin/reports/feeds/nothing/start").status_code == 404

    def test_a_get_starts_nothing(self, operator):
        assert operator.get(START).status_code == 200
        assert not ExportRun.objects.exists()

    def test_a_post_from_another_site_starts_nothing(self, db, operator):
        from django.test import Client

        strict = Client(enforce_csrf_checks=True)
        strict.cookies = operator.cookies

        assert strict.post(START).status_code == 403


@pytest.mark.django_db
class TestPermissions:
    @pytest.mark.parametrize("path", [REPORTS, RUNS, CSV, START])
    def test_a_stranger_is_led_to_the_sign_in(self, client, path):
        answer = client.get(path)

        assert answer.status_code == 302
        assert answer.url.startswith("/admin/login/?next=/admin/reports")

    @pytest.mark.parametrize(
        ("path", "permission"),
        [(REPORTS, "view_exportrun"), (RUNS, "view_exportrun"), (CSV, "export_data"), (START, "start_exportrun")],
    )
    def test_staff_need_the_permission(self, staff_with, path, permission):
        assert staff_with().get(path).status_code == 403
        assert staff_with(f"reporting.{permission}").get(path).status_code in {200, 405}

    def test_controls_are_absent_without_their_permission(self, staff_with, run):
        page = staff_with("reporting.view_exportrun").get(REPORTS).content.decode()

        assert run.get_absolute_url() in page
        assert "Run now" not in page
        assert "Download latest" not in page
        assert "csv" not in page

    def test_downloads_need_the_permission_to_export(self, staff_with, run):
        viewer = staff_with("reporting.view_exportrun")

        assert viewer.get(f"{run.get_absolute_url()}/download").status_code == 403
        assert viewer.get("/api/reporting/quick-order-export").status_code == 403

    def test_an_api_key_is_no_operator(self, api):
        assert api.get("/api/reporting/quick-order-export").status_code == 403
