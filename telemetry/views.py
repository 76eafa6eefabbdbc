"""The public capture routes."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from smplat.lib.errors import TooLargeError
from telemetry import forwarding, metrics
from telemetry.bodies import Body, BodyError, TooManyEventsError, Unstorable, parse
from telemetry.intake import Intake, capture
from telemetry.models import TelemetryEvent, kinds
from telemetry.openapi import capture_schema
from telemetry.throttles import CaptureThrottle

_NDJSON = "application/x-ndjson"
# An empty content type is what a client sends that does not say; text/plain is what navigator.sendBeacon sends.
_CONTENT_TYPES = ("application/json", "text/plain", _NDJSON, "")


class CaptureView(APIView):
    """Captures storefront telemetry: one event, an array of events, or NDJSON.

    Storefronts send the events of a route of its own to the general route as well, which is the one that forwards.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (CaptureThrottle,)
    # as_view gives it to the route of one feed; the general route takes the events of all.
    model: type[TelemetryEvent] | None = None

    def post(self, request: Request) -> Response:
        """Store the body's events and say what became of each."""
        content = _content(request)
        body = _parse(content, _content_type(request))
        intake = capture(body.events, kinds() if self.model is None else (self.model,))
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
        """Refuse a request as a whole where there is no batch to report a bad event in, or no event for the route."""
        if not body.is_batch and intake.rejected:
            refused = intake.rejected[0]
            raise ValidationError({refused.name: [refused.problem]})
        if self.model is not None and not any(_may_be_of(self.model, event) for event in body.events):
            raise ValidationError({"name": [_none_of(self.model)]})

    def forward(self, content: bytes, request: Request) -> None:
        """Hand the body on to the analytics endpoint, where one is set; once, though it comes to two routes."""
        if self.model is None:
            forwarding.queue(content, request.content_type or "application/json")

    def describe(self) -> Callable[[Any], Any]:
        if self.model is None:
            refusal = {"id": ["must be a text of 1 to 200 characters, best a UUID"]}
            return capture_schema("capture", "telemetry", kinds(), refusal)
        route = str(self.model.route)
        operation_id = f"capture{route.title().replace('-', '')}"
        return capture_schema(operation_id, f"{route} telemetry", (self.model,), {"name": [_none_of(self.model)]})


def _may_be_of(model: type[TelemetryEvent], event: Any) -> bool:
    """Whether ``event`` has a name that ``model`` takes, or cannot be read."""
    if isinstance(event, dict):
        return event.get("name") in model.names
    return isinstance(event, Unstorable)


def _none_of(model: type[TelemetryEvent]) -> str:
    *others, last = model.names
    return f"No event is {' or '.join(filter(None, [', '.join(others), last]))}."


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
        return parse(content, content_type == _NDJSON, settings.TELEMETRY_MAX_EVENTS)
    except BodyError as error:
        raise ValidationError({"detail": str(error)}) from error
    except TooManyEventsError as error:
        raise TooLargeError(str(error)) from error
