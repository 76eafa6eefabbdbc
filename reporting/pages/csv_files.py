"""CSV files of the feeds' rows."""

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from reporting.pages.frame import EXPORT, feed_of, operator_page
from reporting.shapes import csv_lines, model_of, warehouse_rows

CSV_ROWS = (100, 250, 500, 1_000)


@operator_page(EXPORT)
@require_GET
def feed_csv(request: HttpRequest, feed_key: str) -> StreamingHttpResponse:
    """The newest rows of a feed, or all of them, as CSV in warehouse shape."""
    feed = feed_of(feed_key)
    given = request.GET.get("rows", str(CSV_ROWS[1]))
    if given not in {"all", *map(str, CSV_ROWS)}:
        raise Http404(f"rows is one of {', '.join(map(str, CSV_ROWS))} and all")
    rows = model_of(feed)._default_manager.order_by("-position")
    lines = csv_lines(feed, warehouse_rows(feed, rows if given == "all" else rows[: int(given)]))
    name = f"{feed.folder}-{timezone.now():%Y%m%dT%H%M%SZ}.csv"
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
