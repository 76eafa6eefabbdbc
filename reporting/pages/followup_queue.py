"""The follow-up queue: how the providers stand, who waits for a follow-up, and what was recorded last."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from reporting.feeds.cursors import Cursor, Page
from reporting.insights import automation
from reporting.insights.automation import Alert
from reporting.models import ProviderGuardrailStatus
from reporting.pages.followup_form import FollowUpForm
from reporting.pages.links import page_link
from reporting.pages.queue_filter import QueueFilter
from smplat.lib.query_timeout import QueryTimeoutError, query_timeout

SHOWN_FOLLOW_UPS = 15
SHOWN_ALERTS = 10
#: A severity whose providers have no follow-up would have every follow-up read.
TIMEOUT = timedelta(seconds=3)


@dataclass(frozen=True)
class Posture:
    """How the providers stand.

    Attributes:
        critical: providers whose newest guardrail status of the last 24 hours is breached.
        warning: those whose newest one warns.
        paused: providers that the newest pause or resume left paused.
        pending: those of the critical and the warning ones whom nobody has followed up since.
    """

    critical: int
    warning: int
    paused: int
    pending: int


def posture(statuses: Collection[Alert], pending: Collection[Alert]) -> Posture:
    """Count the providers over all; filters change nothing about it."""
    found = [automation.SEVERITIES.get(status.status) for status in statuses]
    paused = ProviderGuardrailStatus.objects.filter(is_paused=True).count()
    return Posture(found.count("critical"), found.count("warning"), paused, len(pending))


def follow_ups(form: QueueFilter, cursor: Cursor | None, problems: list[str]) -> Page:
    """A page of the follow-ups that match; an empty one where the database takes too long."""
    try:
        with query_timeout(TIMEOUT):
            return form.walk().page(SHOWN_FOLLOW_UPS, cursor)
    except QueryTimeoutError:
        problems.append("The database took too long to find follow-ups. Add a provider or a platform to the filters.")
        return Page([], None)


def attention(request: HttpRequest, form: QueueFilter, pending: Collection[Alert]) -> dict[str, Any]:
    """The providers that match and that nobody has followed up."""
    matching = [alert for alert in pending if form.lets_through(alert)]
    return {
        "attention": [(alert, _row(request, alert)) for alert in matching[:SHOWN_ALERTS]],
        "more_attention": len(matching) - SHOWN_ALERTS,
    }


def filters(request: HttpRequest, form: QueueFilter) -> dict[str, Any]:
    """What the form of the filters keeps of the page's query, and where its rows' buttons lead."""
    kept = {name: str(text) for name, text in request.GET.items() if name not in {*form.fields, "queueCursor"}}
    nothing = dict.fromkeys([*form.fields, "queueCursor"])
    return {
        "filter": form,
        "kept": kept,
        "given": form.given(),
        "clear": page_link(request, "followups", **nothing),
        "one_click": f"{reverse('pages:one-click-followup')}?{request.GET.urlencode()}",
    }


def _row(request: HttpRequest, alert: Alert) -> dict[str, str]:
    link = page_link(request, "followups", providerId=alert.provider_id, timelineCursor=None)
    return {"link": link, "token": FollowUpForm.fresh_token()}
