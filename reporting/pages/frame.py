"""What every operator page stands on: who may enter, what surrounds it."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.templatetags.static import static

from reporting.feeds import FEEDS, Feed

VIEW, EXPORT, START = "reporting.view_exportrun", "reporting.export_data", "reporting.start_exportrun"
FOLLOW_UP, REWIND = "reporting.add_guardrailfollowup", "reporting.rewind_checkpoint"
MUTE = "reporting.add_alertmute"
#: Each of them opens the pages of the checkpoints.
CHECKPOINTS = ("reporting.view_checkpoint", "reporting.change_checkpoint", REWIND)

View = Callable[..., HttpResponseBase]


def desk_styles(request: HttpRequest) -> str:
    """The stylesheet of the frame and of what pages share."""
    return static("reporting/desk.css")


def charts_styles(request: HttpRequest) -> str:
    """The stylesheet of charts and comparisons."""
    return static("reporting/charts.css")


def runs_styles(request: HttpRequest) -> str:
    """The stylesheet of cards, runs and their progress."""
    return static("reporting/runs.css")


def followups_styles(request: HttpRequest) -> str:
    """The stylesheet of follow-ups and conversions."""
    return static("reporting/followups.css")


def rows_styles(request: HttpRequest) -> str:
    """The stylesheet of rows, their files and the onboarding page."""
    return static("reporting/rows.css")


def is_on_reports(request: HttpRequest) -> bool:
    """Whether the sidebar marks the reports page as the one on show; the runs below it have an entry of their own."""
    return request.path == "/admin/reports"


def may_view(request: HttpRequest) -> bool:
    """Whether the sidebar shows the operator pages to the user."""
    return user_of(request).has_perm(VIEW)


def is_on_refused(request: HttpRequest) -> bool:
    """Whether the sidebar marks the page of refused events as the one on show."""
    return request.path == "/admin/reports/refused"


def is_on_roles(request: HttpRequest) -> bool:
    """Whether the sidebar marks the page of roles as the one on show."""
    return request.path == "/admin/reports/roles"


def is_on_alerts(request: HttpRequest) -> bool:
    """Whether the sidebar marks the page of alerts as the one on show."""
    return request.path == "/admin/reports/alerts"


def may_view_audit(request: HttpRequest) -> bool:
    """Whether the sidebar shows the audit log to the user."""
    return user_of(request).has_perm("reporting.view_auditentry")


def operator_page(permission: str) -> Callable[[View], View]:
    """Let in signed-in staff who hold ``permission``; send strangers to the sign-in, answer others with a 403."""
    require_permission = permission_required(permission, raise_exception=True)
    # Django's admin_view decides who is staff, sends everyone else to the admin's sign-in, and lets nobody cache.
    return lambda view: admin.site.admin_view(require_permission(view))


def user_of(request: HttpRequest) -> User:
    """The signed-in operator."""
    return cast(User, request.user)


def feed_of(feed_key: str) -> Feed:
    """The feed of a URL; a 404 for another name."""
    feed = FEEDS.get(feed_key)
    if feed is None:
        raise Http404(f"there is no feed {feed_key}")
    return feed


def page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """An operator page: the admin's frame, what the user may do, and ``context``."""
    user = user_of(request)
    permissions = {
        "may_export": user.has_perm(EXPORT),
        "may_start": user.has_perm(START),
        "may_follow_up": user.has_perm(FOLLOW_UP),
        "may_rewind": user.has_perm(REWIND),
        "may_view_checkpoint": any(map(user.has_perm, CHECKPOINTS)),
    }
    return render(request, template, {**admin.site.each_context(request), **permissions, **context}, status=status)
