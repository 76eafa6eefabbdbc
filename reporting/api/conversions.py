"""REST endpoint of conversions by experiment and variant."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api.answers import ExperimentConversions, Shape, next_cursor, nullable_text
from reporting.api.feed_views import SeveralPaths
from reporting.api.parsing import JsonRenderer
from reporting.api.queries import LimitField, TextField, query, read
from reporting.insights import conversions
from reporting.recording import segments
from smplat.lib.access import KeyOrOperator

_MAX_METRICS = 100
_QUERY = query(
    limit=LimitField(_MAX_METRICS, 25, "How many experiments to return at most."),
    cursor=TextField(max_length=segments.SLUG.max_length, help_text="The last slug of the page before."),
)


class Conversions(Shape):
    """A page, over all rows and in the order of the slugs."""

    metrics = serializers.ListField(child=ExperimentConversions(), max_length=_MAX_METRICS)
    cursor = nullable_text()
    nextCursor = next_cursor()


class ConversionsView(SeveralPaths, APIView):
    """Counts orders and journeys by experiment and variant."""

    permission_classes = (KeyOrOperator,)
    renderer_classes = (JsonRenderer,)
    required_permission = "reporting.view_pricingexperimentsegment"

    @extend_schema(
        operation_id="list_experiment_conversions",
        tags=["Onboarding"],
        summary="Count conversions by experiment and variant",
        parameters=[_QUERY],
        responses=Conversions,
    )
    def get(self, request: Request) -> Response:
        """Return a page of experiments in the order of their slugs; the cursor is the last slug of the page before."""
        given = read(_QUERY, request)
        page = conversions.page(given["limit"], given["cursor"])
        return Response({"metrics": page.metrics, "cursor": given["cursor"], "nextCursor": page.next_cursor})
