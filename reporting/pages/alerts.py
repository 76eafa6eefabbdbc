"""Alerts: what is wrong now, who is notified, what is muted, and what was wrong before."""

from dataclasses import dataclass
from datetime import timedelta

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from reporting.alerts import telling
from reporting.alerts.channels import channels
from reporting.feeds import FEEDS
from reporting.insights import health
from reporting.models import AlertDelivery, AlertMute, AuditEntry, Finding
from reporting.models.findings import Kind
from reporting.pages.frame import MUTE, VIEW, operator_page, page, user_of

SHOWN = 50
_DURATIONS = {
    "1h": ("1 hour", timedelta(hours=1)),
    "8h": ("8 hours", timedelta(hours=8)),
    "resolved": ("Until resolved", None),
}
Action = AuditEntry.Action


class MuteForm(forms.Form):
    """What to mute, for how long and why."""

    kind = forms.ChoiceField(choices=Kind.choices)
    feed = forms.ChoiceField(
        required=False, choices=[("", "the desk"), *((feed.key, feed.label) for feed in FEEDS.values())]
    )
    duration = forms.ChoiceField(choices=[(key, label) for key, (label, _) in _DURATIONS.items()])
    reason = forms.CharField(max_length=500)


@dataclass(frozen=True)
class OpenFinding:
    """A finding that holds, and the mute that keeps it quiet, if there is one."""

    finding: Finding
    mute: AlertMute | None

    @property
    def about(self) -> str:
        """The name of its feed, or of the whole."""
        return about(self.finding)


def about(finding: Finding) -> str:
    """What a finding is about: the name of its feed; "Desk" for the whole."""
    return FEEDS[finding.feed].label if finding.feed in FEEDS else "Desk"


@operator_page(VIEW)
@require_GET
def alerts(request: HttpRequest) -> HttpResponse:
    """Open findings, channels, mutes, deliveries and the history; by a number of queries that does not grow."""
    return _page(request, None)


@operator_page(MUTE)
@require_POST
def mute(request: HttpRequest) -> HttpResponse:
    """Notify nobody of a kind of finding for a while."""
    form = MuteForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    given, user, now = form.cleaned_data, user_of(request), timezone.now()
    label, duration = _DURATIONS[given["duration"]]
    subject = {"kind": given["kind"], "feed": given["feed"]}
    with transaction.atomic():
        # The newest word counts.
        AlertMute.objects.active(now).filter(**subject).update(lifted_at=now)
        until = now + duration if duration else None
        AlertMute.objects.create(**subject, at=now, until=until, reason=given["reason"], user=user)
        AuditEntry.objects.log(user, Action.MUTE_ALERTS, given["feed"] or "desk", **given)
    messages.success(request, f"Muted: {Kind(given['kind']).label} ({label.lower()}).")
    return redirect("pages:alerts")


@operator_page(MUTE)
@require_POST
def unmute(request: HttpRequest, mute_id: int) -> HttpResponse:
    """Notify people again."""
    found = get_object_or_404(AlertMute, pk=mute_id)
    with transaction.atomic():
        if AlertMute.objects.active(timezone.now()).filter(pk=mute_id).update(lifted_at=timezone.now()):
            AuditEntry.objects.log(user_of(request), Action.UNMUTE_ALERTS, found.feed or "desk", kind=found.kind)
            messages.success(request, f"No longer muted: {found.get_kind_display()}.")
    return redirect("pages:alerts")


@operator_page(MUTE)
@require_POST
def test(request: HttpRequest) -> HttpResponse:
    """Send a test to every channel."""
    with transaction.atomic():
        count = telling.send_tests(timezone.now())
        AuditEntry.objects.log(user_of(request), Action.TEST_ALERTS, "alerts", channels=count)
    if count:
        messages.success(
            request, f"{count} {'test is' if count == 1 else 'tests are'} on the way; see Deliveries below."
        )
    else:
        messages.warning(request, "No channel is set. ALERT_URLS and SLACK_WEBHOOK_URL name them.")
    return redirect("pages:alerts")


def _page(request: HttpRequest, form: MuteForm | None) -> HttpResponse:
    mutes = {(each.kind, each.feed): each for each in AlertMute.objects.active(timezone.now()).select_related("user")}
    findings = [OpenFinding(found, mutes.get((found.kind, found.feed))) for found in health.findings()]
    ended = Finding.objects.filter(ended_at__isnull=False).order_by("-ended_at")[:SHOWN]
    context = {
        "title": "Alerts",
        "findings": findings,
        "mutes": AlertMute.objects.select_related("user").order_by("-id")[:SHOWN],
        "channels": list(channels()),
        "deliveries": AlertDelivery.objects.select_related("finding").order_by("-at", "-id")[:SHOWN],
        "history": [OpenFinding(finding, None) for finding in ended],
        "durations": [(key, label) for key, (label, _) in _DURATIONS.items()],
        "form": form,
        "may_mute": user_of(request).has_perm(MUTE),
    }
    return page(request, "reporting/alerts.html", context, status=400 if form else 200)
