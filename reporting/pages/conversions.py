"""Conversions by experiment and variant, live or pinned to a slice."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from reporting.feeds.shapes import Row
from reporting.insights import conversions
from reporting.insights.daily_assignments import daily_assignments
from reporting.pages import charts
from reporting.pages.links import page_link
from reporting.recording import segments
from smplat.lib.query_timeout import QueryTimeoutError, query_timeout
from smplat.lib.words import counted

SHOWN_EXPERIMENTS = 10
#: After an upgrade the first totals take their time; no page waits for them for longer than this.
_TIMEOUT = timedelta(seconds=3)


@dataclass(frozen=True)
class ConversionView:
    """The slice of the conversions that a page is about.

    Attributes:
        cursor: the slug after which it begins; None for the live one.
        problem: why the cursor that was given is not used; empty otherwise.
    """

    cursor: str | None
    problem: str = ""

    @property
    def href(self) -> str:
        """The address of the slice, for people outside of the page."""
        query = f"?{urlencode({'conversionCursor': self.cursor})}" if self.cursor is not None else ""
        return f"{settings.PUBLIC_BASE_URL}{reverse('pages:reports')}{query}#conversions"

    def as_wire(self) -> Row:
        """What a follow-up that is recorded on the page carries of it."""
        return {"conversionCursor": self.cursor, "conversionHref": self.href}


def view_of(request: HttpRequest) -> ConversionView:
    """The slice that ``?conversionCursor=`` pins."""
    given = request.GET.get("conversionCursor")
    if given is None or segments.SLUG.accepts(given):
        return ConversionView(given)
    max_length = segments.SLUG.max_length
    return ConversionView(None, f"conversionCursor is a slug of 1 to {max_length} characters; this is the live slice.")


def section(request: HttpRequest) -> dict[str, Any]:
    """A page of experiments with their variants."""
    pinned = view_of(request)
    context: dict[str, Any] = {"pinned": pinned, "live": page_link(request, "conversions", conversionCursor=None)}
    found = _Found()
    found.read(pinned)
    if found.page is None:
        context["delay"] = "The conversions are being summed up for the first time. Look again in a minute."
        return {"conversions": context}
    context["metrics"] = [_metric(metric, found.daily.get(metric["slug"])) for metric in found.page.metrics]
    if found.page.next_cursor is not None:
        context["next"] = page_link(request, "conversions", conversionCursor=found.page.next_cursor)
    return {"conversions": context}


@dataclass
class _Found:
    """What the database found within its time: the page, and by slug the assignments of the last days."""

    page: conversions.Conversions | None = None
    daily: dict[str, list[int]] = field(default_factory=dict)

    def read(self, pinned: ConversionView) -> None:
        """Ask for the page first, so that it is there when the days take too long."""
        with suppress(QueryTimeoutError), query_timeout(_TIMEOUT):
            self.page = conversions.page(SHOWN_EXPERIMENTS, pinned.cursor)
            self.daily = daily_assignments([metric["slug"] for metric in self.page.metrics], timezone.now())


def _trend(values: list[int]) -> Row:
    total = sum(values)
    days = f"in {len(values)} days, {max(values):,} on the busiest, {values[-1]:,} today"
    return {"points": charts.trend(values), "label": f"{counted(total, 'assignment')} {days}", "total": total}


def _metric(metric: Row, daily: list[int] | None) -> Row:
    orders = metric["orderCount"] or 1
    variants = [{**variant, "share": round(100 * variant["orderCount"] / orders)} for variant in metric["variants"]]
    at = datetime.fromisoformat(metric["lastActivity"])
    return {**metric, "variants": variants, "at": at, "trend": _trend(daily) if daily else None}
