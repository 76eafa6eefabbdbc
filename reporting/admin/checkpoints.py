"""Checkpoints in Django's admin: evidence, with the history of their moves, a rewind and its undoing."""

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from reporting.checkpoints import rewinds
from reporting.checkpoints.content import CheckpointError, moment
from reporting.feeds import FEEDS
from reporting.models import Checkpoint, CheckpointMove
from smplat.lib.admin import EvidenceAdmin
from smplat.lib.queueing import queue_task
from smplat.lib.times import iso

REWIND = "reporting.rewind_checkpoint"
SHOWN_MOVES = 50
_LARGEST_POSITION = 2**63 - 1


class RewindForm(forms.Form):
    """Where a rewind goes: to a time, or to a position."""

    to_time = forms.CharField(
        label="Time of the first row to export again",
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2026-01-22T04:00:00.123456Z"}),
    )
    to_position = forms.IntegerField(
        label="or position before it",
        required=False,
        min_value=0,
        max_value=_LARGEST_POSITION,
        widget=UnfoldAdminIntegerFieldWidget(attrs={"placeholder": "0 exports everything again"}),
    )

    def target(self) -> dict[str, Any]:
        """The target, as :func:`reporting.checkpoints.rewinds.plan` takes it."""
        to_time = self.cleaned_data["to_time"]
        return {"to_time": moment(to_time) if to_time else None, "to_position": self.cleaned_data["to_position"]}

    def plan(self, feed: str) -> rewinds.Plan | None:
        """What the rewind would do; None where the form says why it cannot be done."""
        if not self.is_bound or not self.is_valid():
            return None
        try:
            return rewinds.plan(feed, **self.target())
        except (CheckpointError, ValueError) as error:
            self.add_error(None, str(error))
        return None


@admin.register(Checkpoint)
class CheckpointAdmin(EvidenceAdmin):
    """Checkpoints, which move by exports, rewinds and undoing alone."""

    list_display: ClassVar = ["feed", "position", "time", "rows", "updated_at"]
    ordering: ClassVar = ["feed"]

    @admin.display(description="Time of the last exported row")
    def time(self, checkpoint: Checkpoint) -> str:
        """The time at full precision."""
        return iso(checkpoint.cursor)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_view_permission(request, obj)) or self.has_rewind_permission(request)

    def has_rewind_permission(self, request: HttpRequest) -> bool:
        """Whether the user may rewind checkpoints and undo moves."""
        return cast(User, request.user).has_perm(REWIND)

    def get_urls(self) -> list[URLPattern]:
        """The admin's pages, a rewind and its undoing."""
        rewind = never_cache(require_http_methods(["GET", "HEAD", "POST"])(self.rewind_view))
        own = {"rewind": rewind, "undo": require_POST(self.undo_view)}
        urls = [
            path(f"<str:feed>/{name}/", self.admin_site.admin_view(view), name=f"reporting_checkpoint_{name}")
            for name, view in own.items()
        ]
        return [*urls, *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """One checkpoint with the history of its moves, in place of the admin's form."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        checkpoint = _checkpoint(unquote(object_id))
        moves = CheckpointMove.objects.of(checkpoint.feed).select_related("run", "user", "undone_by")
        context = {"title": f"{checkpoint.get_feed_display()}: checkpoint", "moves": list(moves[:SHOWN_MOVES])}
        return self._page(request, "reporting/checkpoint_history.html", checkpoint, context)

    def rewind_view(self, request: HttpRequest, feed: str) -> HttpResponse:
        """Ask where to rewind to, say what that would do, and then do it."""
        checkpoint = self._to_be_moved(request, feed)
        form = RewindForm(request.POST or request.GET or None)
        plan = form.plan(feed)
        if plan and request.method == "POST":
            return self._answer(request, feed, lambda: rewinds.rewind(feed, _user(request), **form.target()))
        context = {
            "title": f"{checkpoint.get_feed_display()}: rewind",
            "form": form,
            "plan": plan,
            "definition": FEEDS[feed],
            "max_counted": rewinds.MAX_COUNTED,
        }
        return self._page(request, "reporting/checkpoint_rewind.html", checkpoint, context)

    def undo_view(self, request: HttpRequest, feed: str) -> HttpResponse:
        self._to_be_moved(request, feed)
        number = request.POST.get("move", "")
        if not (number.isascii() and number.isdigit() and len(number) < 20 and int(number) <= _LARGEST_POSITION):
            raise Http404("move is the number of a move")
        last = get_object_or_404(CheckpointMove, pk=number, feed=feed)
        return self._answer(request, feed, lambda: rewinds.undo(last, _user(request)))

    def _to_be_moved(self, request: HttpRequest, feed: str) -> Checkpoint:
        if not self.has_rewind_permission(request):
            raise PermissionDenied
        return _checkpoint(feed)

    def _answer(self, request: HttpRequest, feed: str, act: Callable[[], CheckpointMove]) -> HttpResponseRedirect:
        """Move the checkpoint, and show it with a message that says what happened."""
        try:
            made = act()
            messages.success(
                request, f"The checkpoint moved to position {made.to_position}. The next export goes on after it."
            )
            queue_task("reporting.look_at_health")
        except CheckpointError as error:
            messages.error(request, f"Nothing was moved: {error}.")
        return redirect(reverse("admin:reporting_checkpoint_change", args=[quote(feed)]))

    def _page(
        self, request: HttpRequest, template: str, checkpoint: Checkpoint, context: dict[str, Any]
    ) -> HttpResponse:
        shared = {"checkpoint": checkpoint, "may_rewind": self.has_rewind_permission(request), "opts": self.opts}
        return render(request, template, {**self.admin_site.each_context(request), **shared, **context})


@admin.register(CheckpointMove)
class CheckpointMoveAdmin(EvidenceAdmin):
    list_display: ClassVar = ["id", "feed", "reason", "from_position", "to_position", "run", "user", "at"]
    list_filter: ClassVar = ["feed", "reason"]
    list_select_related: ClassVar = ["run", "user"]
    ordering: ClassVar = ["-id"]
    sortable_by = ()


def _user(request: HttpRequest) -> User:
    return cast(User, request.user)


def _checkpoint(feed: str) -> Checkpoint:
    return get_object_or_404(Checkpoint, pk=feed)
