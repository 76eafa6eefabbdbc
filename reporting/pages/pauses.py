"""Pausing the schedule of a feed, and resuming it."""

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from reporting.models import AuditEntry, FeedPause
from reporting.pages.frame import START, feed_of, operator_page, user_of
from smplat.lib.queueing import queue_task

Action = AuditEntry.Action


class PauseForm(forms.Form):
    """Why a feed is paused."""

    reason = forms.CharField(max_length=500)


@operator_page(START)
@require_POST
def pause(request: HttpRequest, feed_key: str) -> HttpResponse:
    """Pause the schedule of a feed; the reason of a feed that is paused already is replaced."""
    feed, form = feed_of(feed_key), PauseForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Nothing was paused. Reason: {' '.join(map(str, form.errors['reason']))}")
        return redirect("pages:start-run", feed.key)
    reason = form.cleaned_data["reason"]
    with transaction.atomic():
        values = {"reason": reason, "user": user_of(request)}
        FeedPause.objects.update_or_create(pk=feed.key, defaults=values)
        AuditEntry.objects.log(user_of(request), Action.PAUSE_FEED, feed.key, reason=reason)
    messages.success(request, f"{feed.label} is paused. Rows wait, and nothing is lost.")
    return redirect("pages:reports")


@operator_page(START)
@require_POST
def resume(request: HttpRequest, feed_key: str) -> HttpResponse:
    """Have a feed exported by its schedule again."""
    feed = feed_of(feed_key)
    with transaction.atomic():
        deleted, _ = FeedPause.objects.filter(pk=feed.key).delete()
        if deleted:
            AuditEntry.objects.log(user_of(request), Action.RESUME_FEED, feed.key)
    queue_task("reporting.look_at_health")
    if deleted:
        messages.success(request, f"{feed.label} is exported on schedule again.")
    return redirect("pages:reports")
