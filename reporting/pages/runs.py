"""Runs of exports: the page of each, its progress, the start of one and its repetition."""

from dataclasses import asdict
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from reporting.exports import previews, runs
from reporting.exports.artifacts import artifact
from reporting.feeds import Feed
from reporting.feeds.fence import FenceTimeoutError
from reporting.lake import storage
from reporting.models import AuditEntry, ExportRun
from reporting.pages.frame import EXPORT, START, VIEW, feed_of, operator_page, page, user_of
from reporting.warehouse.objects import MismatchError, receipt_of

Action = AuditEntry.Action


@operator_page(VIEW)
@require_GET
def run_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """One run with its steps, its object and its checkpoints."""
    run = _run(run_id)
    context = {"title": f"{run.definition.label}: run", "run": run, "log_lines": list(run.log_lines.all())}
    return page(request, "reporting/run.html", context)


@operator_page(VIEW)
@require_GET
def progress(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """How far a run is, for the page that follows it; once it has ended, a wish to load that page anew."""
    run = _run(run_id)
    answer = page(request, "reporting/_run_progress.html", {"run": run, "log_lines": list(run.log_lines.all())})
    if run.is_final:
        # https://htmx.org/headers/hx-refresh/
        answer["HX-Refresh"] = "true"
    return answer


@operator_page(VIEW)
@require_GET
def receipt(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """The manifest of the run's object, read from the lake; on a page of its own, since the lake may be slow."""
    run = get_object_or_404(ExportRun.objects.exclude(object_uri=""), pk=run_id)
    context = {"title": "Receipt", "run": run, "problem": "", "facts": {}}
    try:
        context["facts"] = asdict(receipt_of(run.definition, run.object_uri))
    except (storage.LakeError, MismatchError) as error:
        context["problem"] = f"The receipt cannot be read: {error}."
    is_fragment = "HX-Request" in request.headers
    return page(request, "reporting/_receipt.html" if is_fragment else "reporting/receipt.html", context)


@operator_page(EXPORT)
@require_GET
def download(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    """The object that a run wrote, byte for byte."""
    run = get_object_or_404(ExportRun, pk=run_id, state=ExportRun.State.SUCCEEDED)
    try:
        answer = artifact(run)
    except storage.LakeError as error:
        messages.error(request, f"The export cannot be served: {error}.")
        return redirect(run)
    AuditEntry.objects.log(user_of(request), Action.DOWNLOAD_OBJECT, run.feed, run=str(run.pk))
    return answer


@operator_page(START)
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: HttpRequest, feed_key: str) -> HttpResponse:
    """Say what a run of a feed would export; on POST, queue it and show its page."""
    feed = feed_of(feed_key)
    if request.method == "POST":
        return _queue(request, feed, Action.START_RUN)
    context = {
        "title": f"{feed.label}: run now",
        "feed": feed,
        "running": ExportRun.objects.filter(feed=feed.key, state=ExportRun.State.RUNNING).first(),
        "webhook_setting": feed.webhook_setting if getattr(settings, feed.webhook_setting or "_", "") else "",
    }
    try:
        context["preview"] = previews.preview(feed)
    except FenceTimeoutError as error:
        context["held_back"] = str(error)
    return page(request, "reporting/run_start.html", context)


@operator_page(START)
@require_POST
def retry(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Queue a run of the same feed; it starts where the last sound one ended."""
    run = get_object_or_404(ExportRun, pk=run_id, state__in=[ExportRun.State.FAILED, ExportRun.State.SKIPPED])
    return _queue(request, run.definition, Action.RETRY_RUN, instead_of=str(run.pk))


def _queue(request: HttpRequest, feed: Feed, action: AuditEntry.Action, **details: str) -> HttpResponse:
    user = user_of(request)
    with transaction.atomic():
        run = runs.request_run(feed, ExportRun.Trigger.OPERATOR, user.pk)
        AuditEntry.objects.log(user, action, feed.key, run=str(run.pk), **details)
    if not runs.hand_over(run):
        messages.warning(
            request,
            "The run waits: the broker cannot be reached. It starts within a minute after the broker is back, and is"
            " given up after 15 minutes. See /readyz.",
        )
    return redirect(run)


def _run(run_id: UUID) -> ExportRun:
    return get_object_or_404(ExportRun.objects.select_related("requested_by"), pk=run_id)
