"""The onboarding page: assignments of pricing experiments, and the journeys of orders."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET

from reporting.feeds.listings import Batch
from reporting.feeds.shapes import Row
from reporting.insights import conversions
from reporting.insights.assignments import COUNTED_ROWS, Assignments
from reporting.models import OnboardingJourney, PricingExperimentSegment
from reporting.pages import funnel, journeys, parameters
from reporting.pages.csv_files import ParameterError, batch_size, controls, cursor_of
from reporting.pages.frame import VIEW, operator_page, page
from reporting.pages.links import page_link
from reporting.pages.segment_filter import SegmentFilter
from reporting.recording import segments
from smplat.lib.query_timeout import QueryTimeoutError, query_timeout

SHOWN_ROWS = 50
#: Experiments whose totals stand on the page; the conversions have all of them.
SHOWN_EXPERIMENTS = 10
#: Events and assignments of one order that are shown, the newest.
SHOWN_EVENTS = 200
#: How long each of the page's queries may take; filters that no index serves together read many rows.
TIMEOUT = timedelta(seconds=3)
_COLUMNS = tuple(column.name for column in segments.FEED.columns)


@operator_page(VIEW)
@require_GET
def onboarding(request: HttpRequest) -> HttpResponse:
    """Assignments by filters, and their counts by variant."""
    if moved := parameters.moved(request):
        return moved
    form = SegmentFilter(request.GET)
    context: dict[str, Any] = {"title": "Onboarding", "form": form, "problems": [], "feed": segments.FEED}
    context["ignored"] = parameters.ignored(request, form.fields, ("batch", "before"))
    if form.is_valid():
        context |= _assignments(request, form, context["problems"])
    context |= journeys.section(TIMEOUT) | funnel.section(request)
    bad = bool(form.errors or context["problems"])
    return page(request, "reporting/onboarding.html", context, status=400 if bad else 200)


def _assignments(request: HttpRequest, form: SegmentFilter, problems: list[str]) -> dict[str, Any]:
    try:
        size = batch_size(request.GET)
        before = str(cursor_of(request.GET["before"])) if request.GET.get("before") else None
    except ParameterError as error:
        problems.append(str(error))
        return {}
    listing, found = form.assignments(), _Results()
    found.read(listing, before, size)
    batch = Batch.of([listing.mark_of(row) for row in found.rows], size, before)
    shown = found.rows[:SHOWN_ROWS]
    older = listing.mark_of(shown[-1]) if len(found.rows) > SHOWN_ROWS else None
    return {
        "found": found,
        "shown": shown,
        "given": form.given(),
        "older": page_link(request, "assignments", before=older) if older else None,
        "csv": controls(request, reverse("pages:onboarding-csv"), "assignments", batch, form.given()),
    }


class _Results:
    """What the database found within its time.

    Attributes:
        rows: the rows of a batch, and one more where there is one.
        counts: the variants with their numbers, None when they are not known.
        are_totals: whether the counts are over all rows.
        took_too_long: whether the database ran out of its time.
    """

    max_counted = f"{COUNTED_ROWS:,}"
    timeout = TIMEOUT

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.counts: list[Row] | None = None
        self.are_totals = False
        self.took_too_long = False

    def read(self, listing: Assignments, before: str | None, size: int) -> None:
        """Ask for the rows first, so that they are there when the counts take too long."""
        try:
            with query_timeout(TIMEOUT):
                self.rows = list(listing.rows(before).values(*_COLUMNS)[: size + 1])
                self.are_totals = listing.is_of_experiments
                self.counts = _totals(listing) if self.are_totals else listing.counts()
        except QueryTimeoutError:
            self.took_too_long = True


def _totals(listing: Assignments) -> list[Row]:
    """The variants of the first experiments, or those of the one experiment that is asked for."""
    slug, key = listing.equal.get("slug"), listing.equal.get("variant_key")
    found = conversions.page(1, listing.slug_before()) if slug else conversions.page(SHOWN_EXPERIMENTS)
    return [
        {"slug": metric["slug"], "variant": variant["variantKey"], "orders": variant["orderCount"]}
        for metric in found.metrics
        for variant in metric["variants"]
        if slug in {None, metric["slug"]} and key in {None, variant["variantKey"]}
    ]


@operator_page(VIEW)
@require_GET
def funnel_fragment(request: HttpRequest) -> HttpResponse:
    """The quick-order funnel alone, for the page that refreshes it."""
    return page(request, "reporting/_funnel_live.html", funnel.live())


@operator_page(VIEW)
@require_GET
def journey(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """The journey of an order: its events, and its assignments."""
    found = get_object_or_404(OnboardingJourney, order_id=order_id)
    assignments = PricingExperimentSegment.objects.filter(order_id=order_id).order_by("-recorded_at", "-event_id")
    context = {
        "title": f"Order {found}",
        "journey": found,
        "events": found.events.order_by("-occurred_at", "-id")[:SHOWN_EVENTS],
        "assignments": assignments[:SHOWN_EVENTS],
        "max_shown": SHOWN_EVENTS,
    }
    return page(request, "reporting/journey.html", context)
