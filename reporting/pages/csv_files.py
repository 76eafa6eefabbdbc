"""CSV files of the feeds' rows, and the controls that lead to them."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from reporting.feeds import Feed, cursors
from reporting.feeds.csv import csv_file, facts
from reporting.feeds.listings import Arrivals, Batch, Listing
from reporting.models import AuditEntry
from reporting.pages.frame import EXPORT, feed_of, operator_page, user_of
from reporting.pages.links import page_link
from reporting.pages.segment_filter import SegmentFilter
from smplat.lib import conditional

CONTENT_TYPE = "text/csv; charset=utf-8"
#: How many rows a batch may hold.
BATCHES = (100, 250, 500, 1_000)
BATCH_ROWS = 250
#: Positions have as many digits at most; more would not fit the column.
_POSITION = re.compile(r"[0-9]{1,18}")
_ROWS_ALLOWED = f"{', '.join(map(str, BATCHES))} or all"


class ParameterError(ValueError):
    """A parameter of a query that is not allowed; the message names it and says what is."""


@dataclass(frozen=True)
class Controls:
    """What the template of the controls shows.

    Attributes:
        url: where the CSV files are.
        page_url: the page on show, without its query.
        section: the id of the part of the page that the controls stand in.
        batch: the batch on show.
        filters: what else the files are about: parameters of both the files and the page.
        kept: other parameters of the page, which the choice of a batch keeps.
        latest: the link to the newest rows, None where they are on show.
        next_page: the link to the next batch, None after the last.
    """

    url: str
    page_url: str
    section: str
    batch: Batch
    filters: Mapping[str, str]
    kept: Mapping[str, str]
    latest: str | None
    next_page: str | None
    sizes: tuple[int, ...] = BATCHES


def controls(request: HttpRequest, url: str, section: str, batch: Batch, filters: Mapping[str, str]) -> Controls:
    """The controls of a page that shows ``batch``; see :class:`Controls` for the arguments."""
    kept = {name: str(text) for name, text in request.GET.items() if name not in {"batch", "before", *filters}}
    latest = page_link(request, section, before=None) if batch.before else None
    next_page = page_link(request, section, before=batch.next_before) if batch.next_before else None
    return Controls(url, request.path, section, batch, filters, kept, latest, next_page)


def position_of(text: str) -> str:
    """The mark of a row by arrival.

    Raises:
        ParameterError: ``text`` is no position.
    """
    if not _POSITION.fullmatch(text):
        raise ParameterError("before: must be the position of a row, a whole number of at most 18 digits.")
    return text


def cursor_of(text: str, parameter: str = "before") -> cursors.Cursor:
    """The place of a row by time, whose text is its mark.

    Raises:
        ParameterError: ``text``, which stands in ``parameter``, is no cursor.
    """
    try:
        return cursors.parse(text)
    except cursors.CursorError as error:
        raise ParameterError(f"{parameter}: {error}") from error


def batch_size(query: QueryDict) -> int:
    """The rows of a batch of the page on show.

    Raises:
        ParameterError: no batch of that size is offered.
    """
    given = query.get("batch", str(BATCH_ROWS))
    if given not in map(str, BATCHES):
        raise ParameterError(f"batch: must be one of {', '.join(map(str, BATCHES))}.")
    return int(given)


@operator_page(EXPORT)
@require_GET
def feed_csv(request: HttpRequest, feed_key: str) -> HttpResponseBase:
    """A batch of a feed's rows by arrival, or all of them."""
    feed = feed_of(feed_key)
    return _answer(request, Arrivals(feed), position_of, {})


@operator_page(EXPORT)
@require_GET
def onboarding_csv(request: HttpRequest) -> HttpResponseBase:
    """A batch of the assignments that the filters of the onboarding page let through, or all of them."""
    form = SegmentFilter(request.GET)
    if not form.is_valid():
        errors = form.errors.get_json_data().items()
        return _refusal(request, " ".join(f"{name}: {error['message']}" for name, of in errors for error in of))
    return _answer(request, form.assignments(), cursor_of, form.given())


def _answer(
    request: HttpRequest, listing: Listing, mark_of: Callable[[str], object], filters: dict[str, str]
) -> HttpResponseBase:
    """The file, unless the client has the same batch already."""
    try:
        rows = _rows(request.GET)
        before = str(mark_of(request.GET["before"])) if request.GET.get("before") else None
        with_bom = _with_bom(request.GET)
    except ParameterError as error:
        return _refusal(request, str(error))

    def download() -> HttpResponseBase:
        """The file, once its download is in the audit log."""
        details: dict[str, Any] = {"rows": rows or "all", "before": before, "filters": filters}
        AuditEntry.objects.log(user_of(request), AuditEntry.Action.DOWNLOAD_CSV, listing.feed.key, **details)
        return _file(listing.feed, csv_file(listing, rows, before, with_bom))

    # What all the rows are would take as long to find out as to send them.
    return download() if rows is None else conditional.answer(request, facts(listing, rows, before, with_bom), download)


def _file(feed: Feed, content: Iterator[bytes]) -> HttpResponseBase:
    name = f"{feed.folder}-{timezone.now():%Y%m%dT%H%M%SZ}.csv"
    return StreamingHttpResponse(
        content,
        content_type=CONTENT_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _rows(query: QueryDict) -> int | None:
    given = query.get("rows", str(BATCH_ROWS))
    if given not in {"all", *map(str, BATCHES)}:
        raise ParameterError(f"rows: must be {_ROWS_ALLOWED}.")
    return None if given == "all" else int(given)


def _with_bom(query: QueryDict) -> bool:
    given = query.get("bom", "0")
    if given not in {"0", "1"}:
        raise ParameterError("bom: must be 1, for a file with a byte-order mark, or 0.")
    return given == "1"


def _refusal(request: HttpRequest, problem: str) -> HttpResponse:
    return render(request, "error.html", {"title": "Bad request", "text": problem}, status=400)
