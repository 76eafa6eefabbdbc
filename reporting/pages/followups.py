"""Guardrail follow-ups: the queue, a provider's timeline, and the form that records one."""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from reporting.alerts import attachments, digests
from reporting.feeds.cursors import Cursor, Page
from reporting.feeds.shapes import Row
from reporting.insights import automation
from reporting.insights.automation import Alert
from reporting.models import GuardrailFollowUp, ProviderGuardrailStatus
from reporting.pages import followup_queue
from reporting.pages.conversions import carried_by
from reporting.pages.csv_files import ParameterError, cursor_of
from reporting.pages.followup_form import FollowUpForm
from reporting.pages.followup_queue import SHOWN_FOLLOW_UPS
from reporting.pages.frame import FOLLOW_UP, operator_page, user_of
from reporting.pages.links import page_link
from reporting.pages.queue_filter import QueueFilter
from reporting.recording import followups


def section(request: HttpRequest) -> dict[str, Any]:
    """The queue, what needs attention, the chosen provider's timeline, and the form."""
    problems: list[str] = []
    provider_id = _provider_id(request, problems)
    statuses = automation.latest_statuses(timezone.now())
    alerts, pending = {status.provider_id: status for status in statuses}, automation.unanswered(statuses)
    form = QueueFilter(request.GET, statuses)
    queue = followup_queue.follow_ups(form, _cursor(request, "queueCursor", problems), problems)
    timeline = _timeline(request, provider_id, problems)
    states = _states([provider_id, *(row["providerId"] for row in queue.rows)])
    _attach([*queue.rows, *timeline.rows])
    return {
        "followups": {
            "problems": problems,
            "posture": followup_queue.posture(statuses, pending),
            **followup_queue.filters(request, form),
            **followup_queue.attention(request, form, pending),
            "queue": [_entry(request, row, states, alerts) for row in queue.rows],
            "older": _more(request, "queueCursor", queue),
            "newest": page_link(request, "followups", queueCursor=None) if "queueCursor" in request.GET else None,
            "provider_id": provider_id,
            "state": states.get(provider_id or ""),
            "timeline": [_entry(request, row, states, alerts) for row in timeline.rows],
            "timeline_older": _more(request, "timelineCursor", timeline),
            "timeline_newest": page_link(request, "followups", timelineCursor=None),
            "snippet": _snippet(provider_id, states),
        },
        "followup_form": _empty_form(request, provider_id, states),
    }


def record(request: HttpRequest) -> FollowUpForm | Row:
    """Record the follow-up that was sent; return it, or the form that says what is wrong with it.

    Raises:
        PermissionDenied: the operator may not record follow-ups.
    """
    operator = user_of(request)
    if not operator.has_perm(FOLLOW_UP):
        raise PermissionDenied
    form = FollowUpForm(request.POST, conversions=partial(carried_by, request))
    recorded = form.record(operator) if form.is_valid() else None
    if recorded is None:
        # Sent again after a correction, it is another follow-up.
        form.data = {**request.POST.dict(), "token": form.fresh_token()}
        return form
    entry: Row = recorded["entry"]
    messages.success(request, f"Recorded: {entry['action']} of {entry['providerName'] or entry['providerId']}.")
    return entry


@operator_page(FOLLOW_UP)
@require_POST
def one_click(request: HttpRequest) -> HttpResponse:
    """Record what a button of the queue says, as the form does, and come back to the page with its filters."""
    sent = record(request)
    if isinstance(sent, FollowUpForm):
        problems = " ".join(problem for texts in sent.errors.values() for problem in map(str, texts))
        messages.error(request, f"Nothing was recorded. {problems}")
    return redirect(f"{reverse('pages:reports')}?{request.GET.urlencode()}#followups")


def _provider_id(request: HttpRequest, problems: list[str]) -> str | None:
    given = request.GET.get("providerId") or None
    if given is not None and not followups.PROVIDER.accepts(given):
        problems.append(f"providerId is a string of at most {followups.PROVIDER.max_length} characters.")
        return None
    return given


def _timeline(request: HttpRequest, provider_id: str | None, problems: list[str]) -> Page:
    cursor = _cursor(request, "timelineCursor", problems)
    return followups.PROVIDER.walk(provider_id).page(SHOWN_FOLLOW_UPS, cursor) if provider_id else Page([], None)


def _cursor(request: HttpRequest, parameter: str, problems: list[str]) -> Cursor | None:
    given = request.GET.get(parameter)
    try:
        return cursor_of(given, parameter) if given else None
    except ParameterError as error:
        problems.append(str(error))
        return None


def _more(request: HttpRequest, parameter: str, page: Page) -> str | None:
    return page_link(request, "followups", **{parameter: page.next_cursor}) if page.next_cursor else None


def _attach(rows: list[Row]) -> None:
    """Put what was sent with each of the follow-ups beside it."""
    sent = GuardrailFollowUp.objects.filter(pk__in={row["followUpId"] for row in rows}, attachments__isnull=False)
    by_id = {str(key): value for key, value in sent.values_list("pk", "attachments")}
    for row in rows:
        row["attachments"] = attachments.shown(by_id.get(row["followUpId"]))


def _states(provider_ids: Iterable[str | None]) -> dict[str, ProviderGuardrailStatus]:
    return ProviderGuardrailStatus.objects.in_bulk([key for key in set(provider_ids) if key])


def _entry(
    request: HttpRequest, row: Row, states: dict[str, ProviderGuardrailStatus], alerts: dict[str, Alert]
) -> dict[str, Any]:
    alert = alerts.get(row["providerId"])
    state = states.get(row["providerId"])
    return {
        **row,
        "at": datetime.fromisoformat(row["createdAt"]),
        "severity": alert.severity if alert and alert.status in automation.SEVERITIES else None,
        "is_paused": state is not None and state.is_paused,
        "token": FollowUpForm.fresh_token(),
        "provider_link": _provider_link(request, row["providerId"]),
        "conversions_link": _web_address(row["conversionHref"]),
    }


def _web_address(href: str | None) -> str | None:
    return href if href and href.lower().startswith(("https://", "http://")) else None


def _provider_link(request: HttpRequest, provider_id: str) -> str:
    return page_link(request, "followups", providerId=provider_id, timelineCursor=None)


def _snippet(provider_id: str | None, states: dict[str, ProviderGuardrailStatus]) -> str:
    """The message to Slack about the provider's newest follow-up."""
    state = states.get(provider_id or "")
    newest = (
        GuardrailFollowUp.objects.filter(pk=state.last_follow_up_id).first()
        if state and state.last_follow_up_id
        else None
    )
    if not (state and newest):
        return ""
    return digests.followup_text(newest, state.is_paused, digests.recent_actions(newest.provider_id))


def _empty_form(
    request: HttpRequest, provider_id: str | None, states: dict[str, ProviderGuardrailStatus]
) -> FollowUpForm:
    state = states.get(provider_id or "")
    initial = {
        "provider_id": provider_id,
        "provider_name": state.provider_name if state else None,
        "token": FollowUpForm.fresh_token(),
    }
    return FollowUpForm(initial=initial, conversions=partial(carried_by, request))
