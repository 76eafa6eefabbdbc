"""REST endpoint of conversions by experiment and variant."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api import operations
from reporting.api.parsing import JsonRenderer, limit_of, string_of
from reporting.insights import conversions
from smplat.lib.access import KeyOrOperator

_MAX_METRICS, _DEFAULT_METRICS = 100, 25
_MAX_SLUG_LENGTH = 200


class ConversionsView(APIView):
    """Counts orders and journeys by experiment and variant."""

    permission_classes = (KeyOrOperator,)
    renderer_classes = (JsonRenderer,)
    required_permission = "reporting.view_pricingexperimentsegment"

    @operations.conversions(_MAX_METRICS, _DEFAULT_METRICS, _MAX_SLUG_LENGTH)
    def get(self, request: Request) -> Response:
        """Return a page of experiments in the order of their slugs; the cursor is the last slug of the page before."""
        limit = limit_of(request, maximum=_MAX_METRICS, default=_DEFAULT_METRICS)
        cursor = string_of(request, "cursor", _MAX_SLUG_LENGTH)
        page = conversions.page(limit, cursor)
        return Response({"metrics": page.metrics, "cursor": cursor, "nextCursor": page.next_cursor})
