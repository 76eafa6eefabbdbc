"""Refused events: why, how often by day, and what they looked like."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDate
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from reporting.exports.artifacts import attachment
from reporting.feeds import FEEDS
from reporting.feeds.csv import csv_line
from reporting.feeds.shapes import model_of
from reporting.models import AuditEntry
from reporting.pages import charts
from reporting.pages.charts import Bar
from reporting.pages.csv_files import CONTENT_TYPE
from reporting.pages.frame import EXPORT, VIEW, operator_page, page, user_of
from reporting.pages.links import page_link
from reporting.pages.parameters import ignored
from smplat.lib.times import iso, midnight
from telemetry.models import Refusal

DAYS = 14
SHOWN_REASONS, SHOWN_EVENTS = 30, 50
_FILTERS = ("line", "field", "reason")
_COLUMNS = ("at", "route", "line", "index", "field", "reason", "origin", "client", "event")


@dataclass(frozen=True)
class Reason:
    """One reason, and how often events were refused for it.

    Attributes:
        feed: the name of the feed; empty for events of none.
        field: what was wrong.
        text: what is allowed there.
        count: how many events, of those that are kept.
        bars: how many on each day, today last.
        link: to its events alone.
    """

    feed: str
    field: str
    text: str
    count: int
    bars: list[Bar]
    link: str


@operator_page(VIEW)
@require_GET
def refused(request: HttpRequest) -> HttpResponse:
    """The reasons of two weeks with the days of each, and the newest events; three queries whatever there is."""
    found = _filtered(request)
    context = {
        "title": "Refused",
        "ignored": ignored(request, _FILTERS, ()),
        "days": _days(),
        "reasons": _reasons(request),
        "events": [(refusal, _label(refusal.line)) for refusal in found.order_by("-id")[:SHOWN_EVENTS]],
        "is_filtered": any(name in request.GET for name in _FILTERS),
        "query": request.GET.urlencode(),
    }
    return page(request, "reporting/refused.html", context)


@operator_page(EXPORT)
@require_GET
def refused_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The events that the page is about, as CSV, newest first."""
    AuditEntry.objects.log(user_of(request), AuditEntry.Action.DOWNLOAD_CSV, "refused")
    rows = _filtered(request).order_by("-id").values_list(*_COLUMNS)
    name = f"refused-{timezone.now():%Y%m%dT%H%M%SZ}.csv"
    answer = attachment(_lines(rows.iterator(chunk_size=500)), name)
    answer["Content-Type"] = CONTENT_TYPE
    return answer


def _filtered(request: HttpRequest) -> QuerySet[Refusal]:
    given = {name: request.GET[name] for name in _FILTERS if name in request.GET and "\0" not in request.GET[name]}
    return Refusal.objects.filter(**given)


def _days() -> list[date]:
    today = timezone.now().date()
    return [today - timedelta(days=before) for before in reversed(range(DAYS))]


def _reasons(request: HttpRequest) -> list[Reason]:
    """The reasons, the most frequent first."""
    days, counts = _days(), dict[tuple[str, str, str], dict[date, int]]()
    recent = Refusal.objects.filter(at__gte=midnight(days[0])).annotate(day=TruncDate("at"))
    for *reason, day, count in recent.values_list("line", "field", "reason", "day").annotate(count=Count("id")):
        counts.setdefault((reason[0], reason[1], reason[2]), {})[day] = count
    most = sorted(counts.items(), key=lambda item: -sum(item[1].values()))[:SHOWN_REASONS]
    max_count = max((count for _, by_day in most for count in by_day.values()), default=0)
    return [
        Reason(
            _label(line),
            field,
            text,
            sum(by_day.values()),
            charts.small_bars([by_day.get(day, 0) for day in days], max_count),
            page_link(request, "events", line=line, field=field, reason=text),
        )
        for (line, field, text), by_day in most
    ]


def _label(line: str) -> str:
    labels = {model_of(feed)._meta.label: feed.label for feed in FEEDS.values()}
    return labels.get(line, "")


def _lines(rows: Iterator[Any]) -> Iterator[bytes]:
    yield csv_line(_COLUMNS)
    for at, *cells in rows:
        yield csv_line([iso(at), *cells])
