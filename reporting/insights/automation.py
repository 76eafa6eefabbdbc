"""The provider automation alert worker: which providers breach their guardrails while nobody has followed up."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from reporting.alerts import digests, outbox, slack
from reporting.feeds import FEEDS
from reporting.insights.fetching import FetchError, fetch_json
from reporting.insights.workflow import workflow_activity
from reporting.models import AutomationRun, messages
from smplat.lib.times import iso

WATCHED = timedelta(hours=24)
#: How bad each guardrail status is; the others alert nobody.
SEVERITIES = {"breached": "critical", "warning": "warning"}
_TIMEOUT_SECONDS = 10.0
# An index alone tells when each provider last reported; one step into it a provider brings the row.
_LATEST_STATUSES = """
    WITH reported AS NOT MATERIALIZED (
        SELECT * FROM telemetry_guardrailworkflowevent WHERE provider_id IS NOT NULL AND guardrail_status IS NOT NULL
    ), latest AS (
        SELECT provider_id, max(recorded_at) AS recorded_at FROM reported
        WHERE recorded_at > %s AND recorded_at <= %s GROUP BY provider_id
    )
    SELECT status.* FROM latest CROSS JOIN LATERAL (
        SELECT provider_id, provider_name, guardrail_status, guardrail_platform_slug, recorded_at FROM reported
        WHERE reported.recorded_at = latest.recorded_at AND reported.provider_id = latest.provider_id
        ORDER BY position DESC LIMIT 1
    ) AS status ORDER BY provider_id
"""
_NEWEST = """
    SELECT provider_id, (
        SELECT max(created_at) FROM provider_guardrail_followup AS stored WHERE stored.provider_id = asked.provider_id
    ) FROM unnest(%s::text[]) AS asked (provider_id)
"""
_MAX_LINES = 20


class SummaryError(Exception):
    """The workflow summary cannot be read; the message names the setting and what went wrong."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL: {problem}.")


@dataclass(frozen=True)
class Alert:
    """A provider whose newest guardrail status nobody has followed up."""

    provider_id: str
    provider_name: str | None
    status: str
    platform_slug: str | None
    occurred_at: datetime

    @property
    def severity(self) -> str:
        """``critical`` or ``warning``."""
        return SEVERITIES[self.status]

    def as_json(self) -> dict[str, Any]:
        return {
            "providerId": self.provider_id,
            "providerName": self.provider_name,
            "severity": self.severity,
            "guardrailStatus": self.status,
            "platformSlug": self.platform_slug,
            "occurredAt": iso(self.occurred_at),
        }


def run(now: datetime | None = None) -> AutomationRun:
    """Look for alerts, tell Slack of them, and keep what was seen.

    A workflow summary that cannot be read is noted in the run's metadata and stops nothing.

    Args:
        now: the end of the 24 hours that are looked at; this moment when not given.
    """
    ran_at = now or timezone.now()
    statuses = latest_statuses(ran_at)
    alerts = unanswered(statuses)
    metadata = {"alertsDigest": [alert.as_json() for alert in alerts], **_workflow_telemetry()}
    with transaction.atomic():
        kept = AutomationRun.objects.create(ran_at=ran_at, summary=_summary(alerts, len(statuses)), metadata=metadata)
        if alerts:
            outbox.put(f"automation:{kept.pk}", messages.AUTOMATION, _digest(alerts))
    return kept


def latest_statuses(now: datetime) -> list[Alert]:
    """The newest guardrail status of each provider in the 24 hours before ``now``, whatever it says."""
    with connection.cursor() as cursor:
        cursor.execute(_LATEST_STATUSES, [now - WATCHED, now])
        return [Alert(*values) for values in cursor.fetchall()]


def unanswered(statuses: Collection[Alert]) -> list[Alert]:
    """Those of ``statuses`` that alert and no follow-up came after; critical ones first, of equals the newest."""
    alerts = [status for status in statuses if status.status in SEVERITIES]
    answered = _newest_follow_ups([alert.provider_id for alert in alerts])
    left = [alert for alert in alerts if answered.get(alert.provider_id, alert.occurred_at) <= alert.occurred_at]
    return sorted(left, key=lambda alert: (alert.severity == "critical", alert.occurred_at), reverse=True)


def _newest_follow_ups(provider_ids: list[str]) -> dict[str, datetime]:
    """When each of the providers was last followed up: one step into the index each, however many follow-ups it has."""
    if not provider_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [provider_ids])
        return {provider_id: newest for provider_id, newest in cursor.fetchall() if newest is not None}


def _summary(alerts: list[Alert], providers: int) -> dict[str, int]:
    critical = sum(alert.severity == "critical" for alert in alerts)
    return {
        "totalAlerts": len(alerts),
        "critical": critical,
        "warning": len(alerts) - critical,
        "providers": providers,
    }


def _digest(alerts: list[Alert]) -> str:
    critical = sum(alert.severity == "critical" for alert in alerts)
    head = f"*Provider guardrails*: {critical} critical, {len(alerts) - critical} warning, not followed up"
    more = [f"… and {len(alerts) - _MAX_LINES} more."] if len(alerts) > _MAX_LINES else []
    return "\n".join([head, *map(_digest_line, alerts[:_MAX_LINES]), *more])


def _digest_line(alert: Alert) -> str:
    provider = digests.provider_link(alert.provider_id, alert.provider_name or alert.provider_id)
    platform = f" on {slack.one_line(alert.platform_slug)}" if alert.platform_slug else ""
    return f"• {alert.severity}: {provider} {alert.status}{platform} at {alert.occurred_at:%Y-%m-%d %H:%M} UTC"


def _workflow_telemetry() -> dict[str, Any]:
    """The workflow summary, and where it cannot be read why not."""
    url = settings.GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL
    if not url:
        window = FEEDS["guardrail_workflow"].window or 0
        return {"workflowTelemetry": workflow_activity(window).summary()}
    try:
        return {"workflowTelemetry": fetch_summary(url)}
    except SummaryError as error:
        return {"workflowTelemetry": None, "workflowTelemetryError": str(error)}


def fetch_summary(url: str) -> dict[str, Any]:
    """Read a workflow summary over HTTP.

    The API key goes along to this installation's own origin alone.

    Raises:
        SummaryError: nothing answers in time, or the answer is no JSON object of at most 1 MiB that can be stored.
    """
    try:
        return fetch_json(url, _TIMEOUT_SECONDS, _api_key_for(url))
    except FetchError as error:
        raise SummaryError(str(error)) from error


def _api_key_for(url: str) -> dict[str, str]:
    keys = settings.CHECKOUT_API_KEYS
    return {"X-API-Key": keys[0]} if keys and _origin(url) == _origin(settings.PUBLIC_BASE_URL) else {}


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port as the client that sends the request reads them; it leaves a scheme's own port out."""
    parts = httpx.URL(url)
    return parts.scheme, parts.host, parts.port
