"""Conversions by experiment and variant, live or pinned to a slice."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

from reporting.alerts.links import conversions_url
from reporting.feeds.shapes import Row
from reporting.insights import conversions
from reporting.pages.links import page_link
from reporting.recording import segments
from smplat.lib.query_timeout import QueryTimeoutError, query_timeout

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
        return conversions_url(self.cursor)

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
    page = _page(pinned)
    if page is None:
        context["delay"] = "The conversions are being summed up for the first time. Look again in a minute."
    else:
        context["metrics"] = [_with_shares(metric) for metric in page.metrics]
        if page.next_cursor is not None:
            context["next"] = page_link(request, "conversions", conversionCursor=page.next_cursor)
    return {"conversions": context}


def _page(pinned: ConversionView) -> conversions.Conversions | None:
    """The page, None where the database takes too long over it."""
    try:
        with query_timeout(_TIMEOUT):
            return conversions.page(SHOWN_EXPERIMENTS, pinned.cursor)
    except QueryTimeoutError:
        return None


def _with_shares(metric: Row) -> Row:
    orders = metric["orderCount"] or 1
    variants = [{**variant, "share": round(100 * variant["orderCount"] / orders)} for variant in metric["variants"]]
    return {**metric, "variants": variants, "at": datetime.fromisoformat(metric["lastActivity"])}
