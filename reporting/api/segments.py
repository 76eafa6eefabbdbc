"""REST endpoint of onboarding segments: recording by the storefront."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api.answers import Recorded
from reporting.api.parsing import JsonRenderer, ObjectParser
from reporting.recording import segments
from reporting.recording.requests import RECORDING, validated
from smplat.lib.access import ApiKeyAuthentication, ApiKeyHolder
from smplat.lib.openapi import error


class KeyAlone(BasePermission):
    """Lets in holders of the key, and no operator."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, ApiKeyHolder)


class RecordingView(APIView):
    """Records the pricing experiments that an order saw."""

    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (KeyAlone,)
    parser_classes = (ObjectParser,)
    renderer_classes = (JsonRenderer,)

    @extend_schema(
        operation_id="record_experiments",
        tags=["Onboarding"],
        summary="Record the pricing experiments of an order",
        description="Writes an event for each distinct variant. Keys may be spelled in snake_case as well.",
        parameters=[OpenApiParameter("order_id", UUID, OpenApiParameter.PATH, description="The order.")],
        request=RECORDING,
        responses={
            202: Recorded,
            404: error("The order has no such journey.", {"journeyId": ["unknown journey; leave it out."]}),
        },
    )
    def post(self, request: Request, order_id: str) -> Response:
        """Write an event for each distinct variant, and return the events' ids."""
        order = _order_id(order_id)
        try:
            event_ids = segments.record(order, **validated(RECORDING, request.data))
        except segments.UnknownJourneyError as error:
            raise NotFound({"journeyId": [f"{error}; leave it out where it is not known."]}) from error
        answer: dict[str, Any] = {"status": "accepted", "eventIds": [str(event_id) for event_id in event_ids]}
        return Response(answer, status=status.HTTP_202_ACCEPTED)


def _order_id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError as error:
        raise ValidationError({"orderId": ["Must be a UUID."]}) from error
