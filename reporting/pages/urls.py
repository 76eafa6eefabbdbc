"""URLs of the operator pages."""

from django.urls import path

from reporting.pages import (
    alerts,
    cards,
    csv_files,
    followups,
    onboarding,
    parity,
    pauses,
    refused,
    reports,
    roles,
    rows,
    run_history,
    runs,
    verdict,
)

app_name = "pages"

urlpatterns = [
    path("reports", reports.reports, name="reports"),
    path("reports/verdict", verdict.verdict_fragment, name="verdict"),
    path("reports/alerts", alerts.alerts, name="alerts"),
    path("reports/alerts/mute", alerts.mute, name="mute-alerts"),
    path("reports/alerts/mutes/<int:mute_id>/lift", alerts.unmute, name="unmute-alerts"),
    path("reports/alerts/test", alerts.test, name="test-alerts"),
    path("reports/refused", refused.refused, name="refused"),
    path("reports/refused/csv", refused.refused_csv, name="refused-csv"),
    path("reports/roles", roles.roles, name="roles"),
    path("reports/cards", cards.cards_fragment, name="cards"),
    path("reports/followups", followups.one_click, name="one-click-followup"),
    path("onboarding", onboarding.onboarding, name="onboarding"),
    path("onboarding/funnel", onboarding.funnel_fragment, name="onboarding-funnel"),
    path("onboarding/csv", csv_files.onboarding_csv, name="onboarding-csv"),
    path("onboarding/orders/<uuid:order_id>", onboarding.journey, name="journey"),
    path("reports/runs/", run_history.runs, name="runs"),
    path("reports/runs/<uuid:run_id>", runs.run_page, name="run"),
    path("reports/runs/<uuid:run_id>/progress", runs.progress, name="run-progress"),
    path("reports/runs/<uuid:run_id>/receipt", runs.receipt, name="run-receipt"),
    path("reports/runs/<uuid:run_id>/retry", runs.retry, name="run-retry"),
    path("reports/runs/<uuid:run_id>/download", runs.download, name="run-download"),
    path("reports/feeds/<str:feed_key>/start", runs.start, name="start-run"),
    path("reports/feeds/<str:feed_key>/pause", pauses.pause, name="pause-feed"),
    path("reports/feeds/<str:feed_key>/resume", pauses.resume, name="resume-feed"),
    path("reports/feeds/<str:feed_key>/repair", parity.repair, name="repair-warehouse"),
    path("reports/feeds/<str:feed_key>/csv", csv_files.feed_csv, name="feed-csv"),
    path("reports/feeds/<str:feed_key>/records/<uuid:key>", rows.row_page, name="row"),
]
