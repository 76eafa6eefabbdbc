"""URLs of the versioned REST endpoints."""

from django.urls import path

from reporting.api import conversions, followups, ingest, segments
from reporting.feeds import FEEDS

urlpatterns = [
    path("api/v1/orders/<str:order_id>/onboarding/pricing-experiments", segments.RecordingView.as_view()),
    path("api/v1/reporting/onboarding/experiment-events", segments.ExperimentEventsView.as_view()),
    path("api/v1/reporting/onboarding/experiment-conversions", conversions.ConversionsView.as_view()),
    path("api/v1/reporting/guardrails/followups", followups.FollowUpsView.as_view()),
    path("api/v1/ingest/guardrail-followups", ingest.IngestView.as_view(feed=FEEDS["guardrail_followups"])),
    path("api/v1/ingest/onboarding-segments", ingest.IngestView.as_view(feed=FEEDS["onboarding_segments"])),
]
