"""REST endpoints of telemetry: window exports, and the workflow summary."""

from collections.abc import Iterator
from typing import Any

from django.http import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api.feed_operations import workflow_summary
from reporting.exports.artifacts import attachment
from reporting.feeds import FEEDS, Feed
from reporting.feeds.shapes import model_of, ndjson, wire_rows
from reporting.insights.workflow import workflow_activity
from smplat.lib.access import KeyOrOperator

_MAX_DIGITS = 9


class WindowExportView(APIView):
    """Streams a telemetry feed's window as NDJSON, oldest first."""

    permission_classes = (KeyOrOperator,)
    feed: Feed = FEEDS["quick_order"]

    @property
    def required_permission(self) -> str:
        """The permission to view the feed's model."""
        app, model = self.feed.model.lower().split(".")
        return f"{app}.view_{model}"

    def get(self, request: Request) -> HttpResponseBase:
        """Stream the newest ``limit`` events of the window."""
        window = self.feed.window or 0
        rows = model_of(self.feed).objects.all()
        positions = rows.newest_positions(limit_of(request, window))
        if not positions:
            raise NotFound("There are no events yet.")
        lines = self._lines(rows.at(positions))
        response = attachment(lines, f"{self.feed.folder}-events-{timezone.now():%Y%m%dT%H%M%SZ}.ndjson")
        response[self.feed.count_header or ""] = str(len(positions))
        return response

    def _lines(self, chunks: Iterator[Any]) -> Iterator[bytes]:
        for chunk in chunks:
            yield b"".join(map(ndjson, wire_rows(self.feed, chunk)))


class WorkflowSummaryView(APIView):
    """Sums up the newest guardrail workflow events."""

    permission_classes = (KeyOrOperator,)
    required_permission = "telemetry.view_guardrailworkflowevent"

    @workflow_summary(FEEDS["guardrail_workflow"].window or 0)
    def get(self, request: Request) -> Response:
        """Return the summary of the newest ``limit`` events of the window."""
        window = FEEDS["guardrail_workflow"].window or 0
        return Response(workflow_activity(limit_of(request, window)).summary())


def limit_of(request: Request, maximum: int) -> int:
    """The ``limit`` of the query, capped at ``maximum``, which it is when none is given.

    Raises:
        ValidationError: it is not a positive whole number.
    """
    given = request.query_params.get("limit")
    if given is None:
        return maximum
    digits = given.strip()
    if not (digits.isascii() and digits.isdigit() and int(digits[:_MAX_DIGITS]) > 0):
        raise ValidationError({"limit": [f"Must be a whole number from 1; at most {maximum} are returned."]})
    return min(int(digits[:_MAX_DIGITS]), maximum)
