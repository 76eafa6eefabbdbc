"""The most recent rows of the feeds, one feed a tab, and the page of a record."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET

from reporting.feeds import FEEDS, Feed
from reporting.feeds.listings import Arrivals, Batch, marks
from reporting.feeds.shapes import Row, model_of, wire
from reporting.models import Checkpoint
from reporting.pages.csv_files import BATCH_ROWS, ParameterError, batch_size, controls, position_of
from reporting.pages.frame import VIEW, feed_of, operator_page, page
from reporting.pages.links import page_link

SHOWN_ROWS = 25
#: What telemetry holds beyond its columns.
_ARRIVAL = ("event", "received_at")


def section(request: HttpRequest) -> dict[str, Any]:
    """The rows of one feed, and the tabs of all; by two queries."""
    problems: list[str] = []
    feed = _chosen(request, problems)
    size, before = _place(request, problems)
    listing = Arrivals(feed)
    names = [column.name for column in feed.columns]
    shown = list(listing.rows(before).values(*names, "position")[:SHOWN_ROWS])
    batch = Batch.of(marks(listing, before, size + 1), size, before)
    csv = controls(request, reverse("pages:feed-csv", args=[feed.key]), "rows", batch, {})
    older = shown[-1]["position"] if batch.rows > len(shown) else None
    tabs = [(tab, page_link(request, "rows", rows=tab.key, before=None)) for tab in FEEDS.values()]
    return {
        "rows": {
            "feed": feed,
            "tabs": tabs,
            "problems": problems,
            "shown": [(row[feed.key_column], row) for row in shown],
            "older": page_link(request, "rows", before=str(older)) if older else None,
            "csv": csv,
        }
    }


def _chosen(request: HttpRequest, problems: list[str]) -> Feed:
    default = next(iter(FEEDS))
    given = request.GET.get("rows", default)
    if given not in FEEDS:
        problems.append(f"rows: there is no such feed; the tabs show those that there are: {', '.join(FEEDS)}.")
    return FEEDS.get(given, FEEDS[default])


def _place(request: HttpRequest, problems: list[str]) -> tuple[int, str | None]:
    """The size of a batch, and the mark at which the page begins."""
    size, before = BATCH_ROWS, request.GET.get("before") or None
    try:
        size = batch_size(request.GET)
    except ParameterError as error:
        problems.append(str(error))
    try:
        return size, before and position_of(before)
    except ParameterError as error:
        problems.append(str(error))
        return size, None


@operator_page(VIEW)
@require_GET
def row_page(request: HttpRequest, feed_key: str, key: UUID) -> HttpResponse:
    """Everything that is known of one row of a feed."""
    feed = feed_of(feed_key)
    row = _row(feed, key)
    checkpoint = Checkpoint.objects.filter(feed=feed.key).first()
    context = {
        "title": f"{feed.label}: record",
        "feed": feed,
        "key": key,
        "row": row,
        "wire": wire(feed, row),
        "checkpoint": checkpoint,
        "is_exported": checkpoint is not None and row["position"] <= checkpoint.position,
    }
    return page(request, "reporting/record.html", context)


def _row(feed: Feed, key: UUID) -> Row:
    sources = [field.source for field in feed.wire]
    names = [*(column.name for column in feed.columns), *sources, "position", *(_ARRIVAL if feed.window else ())]
    rows = model_of(feed).objects.filter(**{feed.key_column: key}).values(*dict.fromkeys(names))
    row: Row | None = rows.first()
    if row is None:
        raise Http404(f"{feed.label} holds no record {key}")
    return row
