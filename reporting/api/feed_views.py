"""What endpoints are made of that exist once for each of several feeds, by ``as_view(feed=…)``; and lists of rows."""

from collections.abc import Callable
from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api.answers import FeedPage
from reporting.api.parsing import JsonRenderer
from reporting.api.queries import page_query, read
from reporting.feeds import Feed
from reporting.feeds.cursors import Walk
from smplat.lib.access import KeyOrOperator

Description = Callable[[Any], Any]


class SeveralPaths:
    """A view that stands at several paths; ``as_view(operation_suffix=…)`` tells its operations apart."""

    operation_suffix = ""


class FeedView(SeveralPaths, APIView):
    """An endpoint of one feed."""

    permission_classes: tuple[Any, ...] = (KeyOrOperator,)
    # as_view gives it.
    feed = cast(Feed, None)

    @property
    def required_permission(self) -> str:
        """The permission to view the feed's model."""
        app, model = self.feed.model.lower().split(".")
        return f"{app}.view_{model}"


class FeedListView(FeedView):
    """Lists the rows of a feed in wire shape, newest first unless the query says otherwise.

    Attributes:
        max_rows: how many rows a page has at most.
        default_rows: how many it has where the query does not say.
    """

    renderer_classes = (JsonRenderer,)
    max_rows = 1_000
    default_rows = 250

    def get(self, request: Request) -> Response:
        """Return a page."""
        query = read(page_query(self.max_rows, self.default_rows), request)
        page = Walk(self.feed, query["order"] == "asc").page(query["limit"], query["cursor"])
        return Response({str(self.feed.webhook_key): page.json_list, "nextCursor": page.next_cursor})

    def describe(self) -> Description:
        *_, area, name = self.feed.list_path.split("/")
        return extend_schema(
            operation_id=f"list_{name.replace('-', '_')}",
            tags=[area.title()],
            summary=f"List the rows: {self.feed.label}",
            parameters=[page_query(self.max_rows, self.default_rows)],
            responses=FeedPage(self.feed, str(self.feed.webhook_key), self.max_rows),
        )
