"""The two public capture routes."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_view
from rest_framework import status
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from smplat.lib.errors import TooLargeError
from telemetry import forwarding, metrics
from telemetry.bodies import Body, BodyError, Unstorable, parse
from telemetry.intake import Intake, capture
from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent, TelemetryEvent
from telemetry.openapi import capture_schema
from telemetry.throttles import CaptureThrottle

_NDJSON = "application/x-ndjson"
# An empty content type is what a client sends that does not say; text/plain is what navigator.sendBeacon sends.
_CONTENT_TYPES = ("application/json", "text/plain", _NDJSON, "")


class CaptureView(APIView):
    """Captures storefront telemetry: one event, an array of events, or NDJSON."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (CaptureThrottle,)
    models: tuple[type[TelemetryEvent], ...] = (QuickOrderEvent, GuardrailWorkflowEvent)

    @capture_schema("capture", "telemetry", models, {"id": ["must be a text of 1 to 200 characters, best a UUID"]})
    def post(self, request: Request) -> Response:
        """Store the body's events and say what became of each."""
        content = _content(request)
        body = _parse(content, _content_type(request))
        intake = capture(body.events, self.models)
        metrics.count(intake)
        self.check(body, intake)
        self.forward(content, request)
        rejected = [{"index": index, "error": str(refused)} for index, refused in intake.rejected.items()]
        return Response(
            {
                "accepted": intake.accepted,
                "duplicates": intake.duplicates,
                "ignored": intake.ignored,
                "rejected": rejected,
            },
            status=status.HTTP_202_ACCEPTED,
        )

    def check(self, body: Body, intake: Intake) -> None:
        """Refuse a request as a whole where there is no batch to report a bad event in."""
        if not body.is_batch and intake.rejected:
            refused = intake.rejected[0]
            raise ValidationError({refused.name: [refused.problem]})

    def forward(self, content: bytes, request: Request) -> None:
        """Hand the body on to the analytics endpoint, where one is set."""
        forwarding.queue(content, request.content_type or "application/json")


@extend_schema_view(
    post=capture_schema(
        "captureQuickOrder",
        "quick-order telemetry",
        [QuickOrderEvent],
        {"name": ["No event is quick_order.start, quick_order.abort or quick_order.complete."]},
    )
)
class QuickOrderCaptureView(CaptureView):
    """Captures ``quick_order.*`` events alone.

    The storefront sends each of them to the general route as well, which is the one that forwards.
    """

    models = (QuickOrderEvent,)

    def check(self, body: Body, intake: Intake) -> None:
        """Refuse a body without any quick-order event."""
        super().check(body, intake)
        if not any(map(_may_be_quick_order, body.events)):
            raise ValidationError(
                {"name": ["No event is quick_order.start, quick_order.abort or quick_order.complete."]}
            )

    def forward(self, content: bytes, request: Request) -> None:
        """Leave forwarding to the general route, which gets the same events."""


def _may_be_quick_order(event: Any) -> bool:
    """Whether ``event`` is named a quick-order event, or cannot be read."""
    if isinstance(event, dict):
        return event.get("name") in QuickOrderEvent.Name.values
    return isinstance(event, Unstorable)


def _content(request: Request) -> bytes:
    limit = settings.TELEMETRY_MAX_BODY_BYTES
    if int(request.META.get("CONTENT_LENGTH") or 0) > limit:
        raise TooLargeError(f"The body is larger than {limit} bytes.")
    return bytes(request._request.body)


def _content_type(request: Request) -> str:
    content_type = (request.content_type or "").partition(";")[0].strip().lower()
    if content_type not in _CONTENT_TYPES:
        allowed = ", ".join(filter(None, _CONTENT_TYPES))
        raise UnsupportedMediaType(content_type[:100], f"Unsupported media type; send {allowed}.")
    return content_type


def _parse(content: bytes, content_type: str) -> Body:
    try:
        body = parse(content, is_ndjson=content_type == _NDJSON)
    except BodyError as error:
        raise ValidationError({"detail": str(error)}) from error
    if len(body.events) > settings.TELEMETRY_MAX_EVENTS:
        raise TooLargeError(f"The body holds {len(body.events)} events; send at most {settings.TELEMETRY_MAX_EVENTS}.")
    return body
