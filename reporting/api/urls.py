"""URLs of the REST endpoints."""

from django.urls import path

from reporting.api import automation, conversions, downloads, followups, health, ingest, segments, windows
from reporting.api.feed_views import FeedListView
from reporting.feeds import FEEDS, WINDOW_FEEDS

app_name = "api"
_SEGMENTS = FEEDS["onboarding_segments"]
# The web clients of the replaced system ask here; the views are those below /api/v1/.
_STOREFRONT = {"operation_suffix": "_storefront"}

urlpatterns = [
    path("api/v1/orders/<str:order_id>/onboarding/pricing-experiments", segments.RecordingView.as_view()),
    path("api/v1/reporting/onboarding/experiment-conversions", conversions.ConversionsView.as_view()),
    path("api/v1/reporting/guardrails/followups", followups.FollowUpsView.as_view(), name="guardrail_followups"),
    path("api/v1/fulfillment/providers/automation/status/history", automation.AutomationHistoryView.as_view()),
    path("api/v1/health/findings", health.FindingsView.as_view()),
    path("api/reporting/guardrail-workflow", windows.WorkflowSummaryView.as_view()),
    path(f"api/{_SEGMENTS.list_path}", FeedListView.as_view(feed=_SEGMENTS, **_STOREFRONT)),
    path("api/reporting/onboarding/experiment-conversions", conversions.ConversionsView.as_view(**_STOREFRONT)),
    path("api/reporting/guardrail-followups", followups.FollowUpsView.as_view(**_STOREFRONT)),
    path("lake/<str:token>", downloads.lake_file, name="lake-file"),
    *(
        path(f"api/v1/{feed.list_path}", FeedListView.as_view(feed=feed), name=feed.key)
        for feed in FEEDS.values()
        if feed.list_path
    ),
    *(
        path(f"api/v1/ingest/{feed.folder}", ingest.IngestView.as_view(feed=feed), name=f"{feed.key}-ingestion")
        for feed in FEEDS.values()
        if feed.webhook_key
    ),
    *(
        path(
            f"api/telemetry/{feed.folder}/export",
            windows.WindowExportView.as_view(feed=feed),
            name=f"{feed.key}-window",
        )
        for feed in WINDOW_FEEDS
    ),
    *(
        path(
            f"api/reporting/{feed.folder}{'-' if feed.window else '/'}export",
            downloads.ArtifactView.as_view(feed=feed),
            name=f"{feed.key}-artifact",
        )
        for feed in FEEDS.values()
    ),
]
