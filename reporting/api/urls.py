"""URLs of the versioned REST endpoints."""

from django.urls import path

from reporting.api import conversions, followups, ingest, segments
from reporting.api.feed_operations import ingestion, of_feed
from reporting.feeds import FEEDS

urlpatterns = [
    path("api/v1/orders/<str:order_id>/onboarding/pricing-experiments", segments.RecordingView.as_view()),
    path("api/v1/reporting/onboarding/experiment-events", segments.ExperimentEventsView.as_view()),
    path("api/v1/reporting/onboarding/experiment-conversions", conversions.ConversionsView.as_view()),
    path("api/v1/reporting/guardrails/followups", followups.FollowUpsView.as_view()),
    path("api/v1/ingest/guardrail-followups", of_feed(ingest.IngestView, FEEDS["guardrail_followups"], post=ingestion)),
    path("api/v1/ingest/onboarding-segments", of_feed(ingest.IngestView, FEEDS["onboarding_segments"], post=ingestion)),
]
