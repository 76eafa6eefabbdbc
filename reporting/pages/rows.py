"""The most recent rows of the feeds."""

from typing import Any

from django.http import HttpRequest

from reporting.feeds import FEEDS, Feed
from reporting.pages.csv_files import CSV_ROWS
from reporting.shapes import model_of

RECENT_ROWS = 10


def section(request: HttpRequest) -> dict[str, Any]:
    """The most recent rows of each feed."""
    return {"recent": [(feed, _recent_rows(feed)) for feed in FEEDS.values()], "csv_rows": CSV_ROWS}


def _recent_rows(feed: Feed) -> list[dict[str, Any]]:
    rows = model_of(feed)._default_manager.order_by("-position")[:RECENT_ROWS]
    return list(rows.values(*(column.name for column in feed.columns)))
