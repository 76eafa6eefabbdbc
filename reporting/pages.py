"""The operator pages under /admin/reports."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from kombu.exceptions import OperationalError

from reporting import exports
from reporting.api.downloads import NothingYet, object_response
from reporting.feeds import FEEDS, Feed
from reporting.models import Checkpoint, ExportRun
from reporting.rows import Writer, long_writers
from reporting.shapes import csv_lines, model_of, warehouse_rows
from reporting.tasks import export_requested

CSV_ROWS = (100, 250, 500, 1_000)
RECENT_ROWS = 10
LISTED_RUNS = 50
#: A feed is late when its newest success is older than this many intervals of its schedule.
LATE_AFTER_INTERVALS = 2
#: A writer that is older than this holds exports back noticeably.
LONG_WRITER = timedelta(seconds=5)
VIEW, EXPORT, START = "reporting.view_exportrun", "reporting.export_data", "reporting.start_exportrun"

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True)
class Card:
    """What the page shows of one feed.

    Attributes:
        feed: the feed.
        run: its newest run that was not skipped.
        success: its newest successful run that made an object.
        checkpoint: how far it is exported.
        is_late: whether its last sound run is older than its schedule allows.
        writers: transactions that hold its next export back.
    """

    feed: Feed
    run: ExportRun | None
    success: ExportRun | None
    checkpoint: Checkpoint | None
    is_late: bool
    writers: list[Writer]


def stylesheet(request: HttpRequest) -> str:
    """The stylesheet of the operator pages."""
    return static("reporting/desk.css")


def is_on_reports(request: HttpRequest) -> bool:
    """Whether the sidebar marks the reports page as the one on show; the runs below it have an entry of their own."""
    return request.path == "/admin/reports"


def may_view(request: HttpRequest) -> bool:
    """Whether the sidebar shows the operator pages to the user."""
    return _user(request).has_perm(VIEW)


def operator_page(permission: str) -> Callable[[View], View]:
    """Let in signed-in staff who hold ``permission``; send strangers to the sign-in, answer others with a 403."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not _user(request).has_perm(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        # Django's admin_view decides who is staff, and sends everyone else to the admin's sign-in.
        return cast(View, admin.site.admin_view(never_cache(guarded)))

    return decorate


@operator_page(VIEW)
@require_GET
def reports(request: HttpRequest) -> HttpResponse:
    """The desk's first page: a card per feed, and the most recent rows of each."""
    context = {
        "title": "Reports",
        "cards": list(_cards()),
        "recent": [(feed, _recent_rows(feed)) for feed in FEEDS.values()],
        "csv_rows": CSV_ROWS,
    }
    return _render(request, "reporting/reports.html", context)


@operator_page(VIEW)
@require_GET
def runs(request: HttpRequest) -> HttpResponse:
    """The newest runs of all feeds."""
    newest = ExportRun.objects.select_related("requested_by").order_by("-created_at")[:LISTED_RUNS]
    return _render(request, "reporting/runs.html", {"title": "Export runs", "runs": newest})


@operator_page(VIEW)
@require_GET
def run_page(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """One run with its log, its object and its checkpoints."""
    run = get_object_or_404(ExportRun.objects.select_related("requested_by"), pk=run_id)
    context = {"title": f"{run.definition.label}: run", "run": run, "log_lines": list(run.log_lines.all())}
    return _render(request, "reporting/run.html", context)


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
    feed = _feed(feed_key)
    run = exports.request_run(feed, ExportRun.Trigger.OPERATOR, _user(request).pk)
    try:
        export_requested.delay(str(run.pk))
    except (OperationalError, OSError):
        exports.close_unqueued(run)
        messages.error(request, "The run could not be queued: the broker cannot be reached. See /readyz.")
    return redirect(run)


@operator_page(EXPORT)
@require_GET
def feed_csv(request: HttpRequest, feed_key: str) -> StreamingHttpResponse:
    """The newest rows of a feed, or all of them, as CSV in warehouse shape."""
    feed = _feed(feed_key)
    given = request.GET.get("rows", str(CSV_ROWS[1]))
    if given not in {"all", *map(str, CSV_ROWS)}:
        raise Http404(f"rows is one of {', '.join(map(str, CSV_ROWS))} and all")
    rows = model_of(feed)._default_manager.order_by("-position")
    lines = csv_lines(feed, warehouse_rows(feed, rows if given == "all" else rows[: int(given)]))
    name = f"{feed.folder}-{timezone.now():%Y%m%dT%H%M%SZ}.csv"
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _cards() -> Iterator[Card]:
    newest = {run.feed: run for run in ExportRun.objects.newest_of_each_feed()}
    successes = {run.feed: run for run in ExportRun.objects.newest_artifact_of_each_feed()}
    sound = {run.feed: run.finished_at for run in ExportRun.objects.newest_sound_of_each_feed()}
    checkpoints = Checkpoint.objects.in_bulk()
    models = {feed.key: model_of(feed) for feed in FEEDS.values()}
    writers = long_writers(models.values(), LONG_WRITER)
    now = timezone.now()
    for feed in FEEDS.values():
        at, table = sound.get(feed.key), models[feed.key]._meta.db_table
        yield Card(
            feed=feed,
            run=newest.get(feed.key),
            success=successes.get(feed.key),
            checkpoint=checkpoints.get(feed.key),
            is_late=at is not None and is_late(feed, at, now),
            writers=[writer for writer in writers if writer.table == table],
        )


def is_late(feed: Feed, succeeded_at: datetime, now: datetime) -> bool:
    """Whether the newest success of ``feed`` is older than its schedule allows."""
    return now - succeeded_at > LATE_AFTER_INTERVALS * feed.interval


def _recent_rows(feed: Feed) -> list[dict[str, Any]]:
    rows = model_of(feed)._default_manager.order_by("-position")[:RECENT_ROWS]
    return list(rows.values(*(column.name for column in feed.columns)))


def _feed(feed_key: str) -> Feed:
    feed = FEEDS.get(feed_key)
    if feed is None:
        raise Http404(f"there is no feed {feed_key}")
    return feed


def _user(request: HttpRequest) -> AbstractUser:
    return cast(AbstractUser, request.user)


def _render(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    user = _user(request)
    permissions = {"may_export": user.has_perm(EXPORT), "may_start": user.has_perm(START)}
    return render(request, template, {**admin.site.each_context(request), **permissions, **context})
