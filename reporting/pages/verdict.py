"""The line on top of every page: all that is wrong, each with the button that fixes it."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_GET

from reporting.feeds import FEEDS
from reporting.insights import health
from reporting.models import ExportRun, Finding
from reporting.models.findings import Severity
from reporting.pages.frame import VIEW, operator_page, page, user_of


@dataclass(frozen=True)
class Entry:
    """A finding as one operator sees it.

    Attributes:
        finding: the finding.
        may_act: whether the operator may press its button.
    """

    finding: Finding
    may_act: bool

    @property
    def feed(self) -> str:
        """The name of the feed; empty for what concerns the whole desk."""
        return FEEDS[self.finding.feed].label if self.finding.feed in FEEDS else ""


@dataclass(frozen=True)
class Verdict:
    """What the line says.

    Attributes:
        entries: all that is wrong, worst first.
        is_new: whether the desk has not exported anything yet.
    """

    entries: list[Entry]
    is_new: bool

    @property
    def tone(self) -> str:
        """``good``, ``warn`` or ``bad``."""
        if not self.entries:
            return "good"
        return "bad" if self.entries[0].finding.nature.severity == Severity.CRITICAL else "warn"


def context(request: HttpRequest) -> dict[str, Any]:
    """Put the verdict into every template; the database is asked by those that show it."""
    return {"verdict": SimpleLazyObject(lambda: _verdict(request))}


@operator_page(VIEW)
@require_GET
def verdict_fragment(request: HttpRequest) -> HttpResponse:
    """The line alone, for the page that refreshes it."""
    return page(request, "reporting/_verdict.html", {})


def _verdict(request: HttpRequest) -> Verdict:
    has_perm = user_of(request).has_perm
    entries = [Entry(finding, has_perm(finding.nature.permission)) for finding in health.findings()]
    return Verdict(entries, not entries and not ExportRun.objects.exists())
