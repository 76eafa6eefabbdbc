"""Runs of exports: their history, the page of each, and the start of one."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST
from kombu.exceptions import OperationalError

from reporting import exports
from reporting.api.downloads import NothingYet, object_response
from reporting.models import ExportRun
from reporting.pages.frame import EXPORT, START, VIEW, feed_of, operator_page, page, user_of
from reporting.tasks import export_requested

LISTED_RUNS = 50


@operator_page(VIEW)
@require_GET
def runs(request: HttpRequest) -> HttpResponse:
    """The newest runs of all feeds."""
    newest = ExportRun.objects.select_related("requested_by").order_by("-created_at")[:LISTED_RUNS]
    return page(request, "reporting/runs.html", {"title": "Export runs", "runs": newest})


@operator_page(VIEW)
@require_GET
def run_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """One run with its log, its object and its checkpoints."""
    run = get_object_or_404(ExportRun.objects.select_related("requested_by"), pk=run_id)
    context = {"title": f"{run.definition.label}: run", "run": run, "log_lines": list(run.log_lines.all())}
    return page(request, "reporting/run.html", context)


@operator_page(EXPORT)
@require_GET
def download(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    """The object that a run wrote, byte for byte."""
    run = get_object_or_404(ExportRun, pk=run_id, state=ExportRun.State.SUCCEEDED)
    try:
        return object_response(run)
    except NothingYet as error:
        messages.error(request, str(error.detail))
        return redirect(run)


@operator_page(START)
@require_POST
def start(request: HttpRequest, feed_key: str) -> HttpResponse:
    """Queue a run of a feed, and show its page."""
    feed = feed_of(feed_key)
    run = exports.request_run(feed, ExportRun.Trigger.OPERATOR, user_of(request).pk)
    try:
        export_requested.delay(str(run.pk))
    except (OperationalError, OSError):
        exports.close_unqueued(run)
        messages.error(request, "The run could not be queued: the broker cannot be reached. See /readyz.")
    return redirect(run)
