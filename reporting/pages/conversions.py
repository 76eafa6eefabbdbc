"""Conversions by experiment and variant, live or pinned: to a slice, to a time, or to both."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from reporting.accounting.day_totals import daily_counts
from reporting.alerts.links import CONVERSIONS_ANCHOR, conversions_url
from reporting.feeds.fence import last_position
from reporting.feeds.shapes import Row
from reporting.insights import conversions
from reporting.models import PricingExperimentSegment
from reporting.pages import charts
from reporting.pages.links import page_link
from reporting.recording import segments
from smplat.lib.query_timeout import QueryTimeoutError, query_timeout
from smplat.lib.words import counted

SHOWN_EXPERIMENTS = 10
#: After an upgrade the first totals take their time; no page waits for them for longer than this.
_TIMEOUT = timedelta(seconds=3)
#: How many days the line of an experiment shows.
_DAYS = 14
_POSITION = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class ConversionView:
    """The part of the conversions that a page is about.

    Attributes:
        cursor: the slug after which it begins; None for all experiments.
        as_of: the position of the last assignment that counts; None for live counts.
        problems: why what was given is not used.
    """

    cursor: str | None
    as_of: int | None
    problems: list[str]

    @property
    def is_pinned(self) -> bool:
        return self.cursor is not None or self.as_of is not None


def view_of(request: HttpRequest) -> ConversionView:
    """What ``?conversionCursor=`` and ``?asOf=`` pin."""
    problems: list[str] = []
    return ConversionView(_cursor(request, problems), _as_of(request, problems), problems)


def carried_by(request: HttpRequest) -> Row:
    """What a follow-up that is recorded on the page carries: the slice on show, and a link to its counts of now."""
    view = view_of(request)
    as_of = conversions.newest_settled() if view.as_of is None else view.as_of
    href = conversions_url(view.cursor, as_of)
    return {"conversionCursor": view.cursor, "conversionHref": href}


def section(request: HttpRequest) -> dict[str, Any]:
    """A page of experiments with their variants."""
    view = view_of(request)
    context: dict[str, Any] = {
        "pinned": view,
        "as_of_at": None if view.as_of is None else conversions.moment_of(view.as_of),
        "live": page_link(request, "conversions", conversionCursor=None, asOf=None),
        "timeout": _TIMEOUT,
    }
    found = _Found()
    found.read(view)
    if found.page is None:
        context["took_too_long"] = True
    else:
        context |= _shown(request, view, found.page, found.daily)
    return {"conversions": context}


def _shown(
    request: HttpRequest, view: ConversionView, page: conversions.Conversions, daily: dict[str, list[int]]
) -> dict[str, Any]:
    context: dict[str, Any] = {"metrics": [_metric(metric, daily.get(metric["slug"])) for metric in page.metrics]}
    if page.next_cursor is not None:
        context["next"] = page_link(request, "conversions", conversionCursor=page.next_cursor)
    if view.as_of is None and page.metrics:
        as_of = str(conversions.newest_settled())
        context["pin"] = page_link(request, CONVERSIONS_ANCHOR, conversionCursor=view.cursor, asOf=as_of)
    return context


def _cursor(request: HttpRequest, problems: list[str]) -> str | None:
    given = request.GET.get("conversionCursor")
    if given is None:
        return None
    if not segments.SLUG.accepts(given):
        problems.append(f"conversionCursor must be an experiment of 1–{segments.SLUG.max_length} characters.")
    elif not PricingExperimentSegment.objects.filter(slug=given).exists():
        problems.append(f"There is no experiment “{given}”, so the list starts with the first one.")
    else:
        return given
    return None


def _as_of(request: HttpRequest, problems: list[str]) -> int | None:
    given = request.GET.get("asOf")
    if given is None:
        return None
    if not _POSITION.fullmatch(given):
        problems.append("asOf must be a position, an integer of at most 18 digits. These are live counts.")
    elif int(given) > last_position("onboarding_segments"):
        problems.append(f"asOf={given} is newer than the newest assignment. These are live counts.")
    else:
        return int(given)
    return None


@dataclass
class _Found:
    """What the database found within its time: the page, and by slug the assignments of the last days."""

    page: conversions.Conversions | None = None
    daily: dict[str, list[int]] = field(default_factory=dict)

    def read(self, view: ConversionView) -> None:
        """Ask for the page first, so that it is there when the days take too long."""
        with suppress(QueryTimeoutError), query_timeout(_TIMEOUT):
            self.page = conversions.page(SHOWN_EXPERIMENTS, view.cursor, view.as_of)
            slugs = [metric["slug"] for metric in self.page.metrics]
            daily = daily_counts("onboarding_segments", slugs, _DAYS, timezone.now())
            self.daily = {slug: list(counts.values()) for slug, counts in daily.items()}


def _trend(values: list[int]) -> Row:
    total = sum(values)
    days = f"in {len(values)} days, {max(values):,} on the busiest, {values[-1]:,} today"
    return {"points": charts.trend(values), "label": f"{counted(total, 'assignment')} {days}", "total": total}


def _metric(metric: Row, daily: list[int] | None) -> Row:
    orders = metric["orderCount"] or 1
    variants = [{**variant, "share": round(100 * variant["orderCount"] / orders)} for variant in metric["variants"]]
    at = datetime.fromisoformat(metric["lastActivity"])
    return {**metric, "variants": variants, "at": at, "trend": _trend(daily) if daily else None}
