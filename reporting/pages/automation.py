"""The provider automation: its last run, its next one, and what the newest runs saw."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from reporting.feeds.schedule import AUTOMATION_MINUTES, next_start
from reporting.models import AutomationRun
from reporting.pages.frame import user_of
from reporting.pages.links import page_link

SHOWN_RUNS = 10
SHOWN_PROVIDERS = 5
_PAGE = "admin:reporting_automationrun_change"


@dataclass(frozen=True)
class Seen:
    """What one run saw.

    Attributes:
        at: when it ran.
        critical: how many critical alerts there were.
        warning: how many warnings.
        seen: how many providers had a guardrail status in the 24 hours before.
        providers: the first ones that it alerted of, each with its name, its severity and the link to its timeline.
        more: how many further ones there were.
        events: how many workflow events the summary counts that it read; None where it read none.
        problem: why it could not read the summary; empty where it could.
        page: the address of its page; None for those who may not open it.
    """

    at: datetime
    critical: int
    warning: int
    seen: int
    providers: list[tuple[str, str, str]]
    more: int
    events: Any
    problem: str
    page: str | None

    @property
    def outcome(self) -> str:
        """What came of it, in a word or two."""
        if self.problem:
            return "Summary not read"
        return "Alerted" if self.providers else "No alerts"

    @property
    def tone(self) -> str:
        """The tone of a badge for the outcome."""
        if self.critical:
            return "bad"
        return "warn" if self.warning or self.problem else "good"


def section(request: HttpRequest) -> dict[str, Any]:
    """The newest runs, by one query, and when the next one starts."""
    may_open = user_of(request).has_perm("reporting.view_automationrun")
    runs = [_seen(request, run, may_open) for run in AutomationRun.objects.newest(SHOWN_RUNS)]
    next_run = next_start(AUTOMATION_MINUTES, timezone.now())
    return {"automation": {"runs": runs, "last": runs[0] if runs else None, "next_run": next_run}}


def _seen(request: HttpRequest, run: AutomationRun, may_open: bool) -> Seen:
    alerts = run.metadata.get("alertsDigest", [])
    return Seen(
        at=run.ran_at,
        critical=run.summary.get("critical", 0),
        warning=run.summary.get("warning", 0),
        seen=run.summary.get("providers", 0),
        providers=[_provider(request, alert) for alert in alerts[:SHOWN_PROVIDERS]],
        more=max(len(alerts) - SHOWN_PROVIDERS, 0),
        events=(run.metadata.get("workflowTelemetry") or {}).get("totalEvents"),
        problem=run.metadata.get("workflowTelemetryError", ""),
        page=reverse(_PAGE, args=[run.pk]) if may_open else None,
    )


def _provider(request: HttpRequest, alert: dict[str, Any]) -> tuple[str, str, str]:
    key = alert["providerId"]
    link = page_link(request, "followups", providerId=key, timelineCursor=None)
    return alert["providerName"] or key, alert["severity"], link
