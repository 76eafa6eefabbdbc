"""REST endpoints of telemetry: window exports, and the workflow summary."""

from django.http import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api.answers import FeedRow, WorkflowSummary
from reporting.api.feed_views import Description, FeedView
from reporting.api.queries import read, window_query
from reporting.exports.artifacts import attachment
from reporting.feeds import FEEDS
from reporting.feeds.wire_json import Window
from reporting.insights.workflow import workflow_activity
from smplat.lib import conditional, openapi
from smplat.lib.access import KeyOrOperator

_SUMMARY_QUERY = window_query(FEEDS["guardrail_workflow"].window or 0, "read")


class WindowExportView(FeedView):
    """Streams a telemetry feed's window as NDJSON, oldest first."""

    def get(self, request: Request) -> HttpResponseBase:
        """Stream the newest ``limit`` events of the window, unless the client has them already."""
        limit = read(window_query(self.feed.window or 0, "return"), request)["limit"]
        window = Window.newest(self.feed, limit)
        if not window.positions:
            raise NotFound("There are no events yet.")
        return conditional.answer(request, window.facts, lambda: self._download(window))

    def _download(self, window: Window) -> HttpResponseBase:
        response = attachment(window.ndjson(), f"{self.feed.folder}-events-{timezone.now():%Y%m%dT%H%M%SZ}.ndjson")
        response[self.feed.count_header] = str(len(window.positions))
        return response

    def describe(self) -> Description:
        counted = OpenApiParameter(
            str(self.feed.count_header),
            {"type": "integer", "minimum": 0},
            OpenApiParameter.HEADER,
            required=True,
            description="How many events the answer holds.",
            response=[200],
        )
        return extend_schema(
            operation_id=f"export_{self.feed.key}_window",
            tags=["Telemetry"],
            summary=f"Export the window: {self.feed.label}",
            parameters=openapi.conditional([window_query(self.feed.window or 0, "return"), counted]),
            responses={
                (200, openapi.NDJSON): OpenApiResponse(FeedRow(self.feed), "One event a line, oldest first."),
                304: openapi.UNCHANGED,
                404: openapi.error("The window is empty.", "There are no events yet."),
            },
        )


class WorkflowSummaryView(APIView):
    """Sums up the newest guardrail workflow events."""

    permission_classes = (KeyOrOperator,)
    required_permission = "telemetry.view_guardrailworkflowevent"

    @extend_schema(
        operation_id="summarize_workflow",
        tags=["Telemetry"],
        summary="Sum up the guardrail workflow",
        parameters=[_SUMMARY_QUERY],
        responses=WorkflowSummary,
    )
    def get(self, request: Request) -> Response:
        """Return the summary of the newest ``limit`` events of the window."""
        return Response(workflow_activity(read(_SUMMARY_QUERY, request)["limit"]).summary())
