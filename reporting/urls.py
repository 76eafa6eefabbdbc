"""URLs of reporting: REST and operator pages."""

from django.urls import include, path

from reporting.api import automation, downloads, windows
from reporting.api.feed_operations import artifact, of_feed, window_export
from reporting.feeds import FEEDS
from reporting.pages import cards, csv_files, onboarding, parity, reports, rows, run_history, runs

_QUICK_ORDER, _WORKFLOW, _FOLLOW_UPS = FEEDS["quick_order"], FEEDS["guardrail_workflow"], FEEDS["guardrail_followups"]

urlpatterns = [
    path("", include("reporting.api.urls")),
    path("api/telemetry/quick-order/export", of_feed(windows.WindowExportView, _QUICK_ORDER, get=window_export)),
    path("api/telemetry/guardrail-workflow/export", of_feed(windows.WindowExportView, _WORKFLOW, get=window_export)),
    path("api/reporting/guardrail-workflow", windows.WorkflowSummaryView.as_view()),
    path("api/reporting/quick-order-export", of_feed(downloads.ArtifactView, _QUICK_ORDER, get=artifact)),
    path("api/reporting/guardrail-workflow-export", of_feed(downloads.ArtifactView, _WORKFLOW, get=artifact)),
    path("api/v1/fulfillment/providers/automation/status/history", automation.AutomationHistoryView.as_view()),
    path("api/reporting/guardrail-followups/export", of_feed(downloads.ArtifactView, _FOLLOW_UPS, get=artifact)),
    path("lake/<str:token>", downloads.lake_file, name="lake-file"),
    path("admin/reports", reports.reports, name="reports"),
    path("admin/reports/cards", cards.cards_fragment, name="cards"),
    path("admin/onboarding", onboarding.onboarding, name="onboarding"),
    path("admin/onboarding/funnel", onboarding.funnel_fragment, name="onboarding-funnel"),
    path("admin/onboarding/csv", csv_files.onboarding_csv, name="onboarding-csv"),
    path("admin/onboarding/orders/<uuid:order_id>", onboarding.journey, name="journey"),
    path("admin/reports/runs/", run_history.runs, name="runs"),
    path("admin/reports/runs/<uuid:run_id>", runs.run_page, name="run"),
    path("admin/reports/runs/<uuid:run_id>/progress", runs.progress, name="run-progress"),
    path("admin/reports/runs/<uuid:run_id>/receipt", runs.receipt, name="run-receipt"),
    path("admin/reports/runs/<uuid:run_id>/retry", runs.retry, name="run-retry"),
    path("admin/reports/runs/<uuid:run_id>/download", runs.download, name="run-download"),
    path("admin/reports/feeds/<str:feed_key>/start", runs.start, name="start-run"),
    path("admin/reports/feeds/<str:feed_key>/repair", parity.repair, name="repair-warehouse"),
    path("admin/reports/feeds/<str:feed_key>/csv", csv_files.feed_csv, name="feed-csv"),
    path("admin/reports/feeds/<str:feed_key>/records/<uuid:key>", rows.row_page, name="row"),
]
