"""REST endpoints of onboarding segments: recording by the storefront, and the list."""

from typing import Any
from uuid import UUID

from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api import operations
from reporting.api.parsing import JsonRenderer, ObjectParser, cursor_of, is_ascending, limit_of
from reporting.feeds.cursors import Walk
from reporting.recording import segments
from reporting.recording.requests import RECORDING, validated
from smplat.lib.access import ApiKeyAuthentication, ApiKeyHolder, KeyOrOperator

_MAX_ROWS, _DEFAULT_ROWS = 1_000, 250


class KeyAlone(BasePermission):
    """Lets in holders of the key, and no operator."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the request carried a valid key."""
        return isinstance(request.user, ApiKeyHolder)


class RecordingView(APIView):
    """Records the pricing experiments that an order saw."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (KeyAlone,)
    parser_classes = (ObjectParser,)
    renderer_classes = (JsonRenderer,)

    @operations.recording()
    def post(self, request: Request, order_id: str) -> Response:
        """Write an event for each distinct variant, and return the events' ids."""
        order = _order_id(order_id)
        try:
            event_ids = segments.record(order, **validated(RECORDING, request.data))
        except segments.UnknownJourneyError as error:
            raise NotFound({"journeyId": [f"{error}; leave it out where it is not known."]}) from error
        answer: dict[str, Any] = {"status": "accepted", "eventIds": [str(event_id) for event_id in event_ids]}
        return Response(answer, status=status.HTTP_202_ACCEPTED)


class ExperimentEventsView(APIView):
    """Lists the segments of all orders."""

    permission_classes = (KeyOrOperator,)
    renderer_classes = (JsonRenderer,)
    required_permission = "reporting.view_pricingexperimentsegment"

    @operations.experiment_events(_MAX_ROWS, _DEFAULT_ROWS)
    def get(self, request: Request) -> Response:
        """Return a page in wire shape, newest first unless the query says otherwise."""
        limit = limit_of(request, maximum=_MAX_ROWS, default=_DEFAULT_ROWS)
        page = Walk(segments.FEED, is_ascending(request)).page(limit, cursor_of(request))
        return Response({"events": page.rows, "nextCursor": page.next_cursor})


def _order_id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise ValidationError({"orderId": ["Must be a UUID."]}) from error
