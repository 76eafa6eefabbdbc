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

from smplat.lib.clients import address
from smplat.lib.errors import TooLargeError
from telemetry import forwarding, metrics
from telemetry.bodies import Body, BodyError, TooManyEventsError, parse
from telemetry.capture import MEDIA_TYPES, NDJSON, Route, media_type, none_of, summary
from telemetry.intake import capture
from telemetry.models import kinds
from telemetry.openapi import capture_schema
from telemetry.refusals import Sender
from telemetry.throttles import CaptureThrottle


class CaptureView(APIView):
    """Captures storefront telemetry: one event, an array of events, or NDJSON.

    Storefronts send the events of a route of its own to the general route as well, which is the one that forwards.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (CaptureThrottle,)
    route = Route(None)

    def post(self, request: Request) -> Response:
        """Store the body's events and say what became of each."""
        content = _content(request)
        body = _parse(content, _content_type(request))
        sender = Sender(self.route.path, request.headers.get("Origin", ""), address(request))
        intake = capture(body.events, self.route.models, is_storable=body.is_storable, sender=sender)
        metrics.count(intake)
        if refusal := self.route.refusal(body, intake):
            raise ValidationError(refusal)
        if self.route.model is None:
            # Once, though the body comes to two routes.
            forwarding.queue(content, request.content_type or "application/json")
        return Response(summary(intake), status=status.HTTP_202_ACCEPTED)

    def describe(self) -> Callable[[Any], Any]:
        model = self.route.model
        if model is None:
            refusal = {"id": ["must be 1–200 characters; a UUID is preferred"]}
            return capture_schema("capture", "telemetry", kinds(), refusal)
        route = str(model.route)
        operation_id = f"capture{route.title().replace('-', '')}"
        return capture_schema(operation_id, f"{route} telemetry", (model,), {"name": [none_of(model)]})


def _content(request: Request) -> bytes:
    limit = settings.TELEMETRY_MAX_BODY_BYTES
    if int(request.META.get("CONTENT_LENGTH") or 0) > limit:
        raise TooLargeError(f"The body is larger than {limit} bytes.")
    return bytes(request._request.body)


def _content_type(request: Request) -> str:
    content_type = media_type(request.content_type or "")
    if content_type not in MEDIA_TYPES:
        allowed = ", ".join(filter(None, MEDIA_TYPES))
        raise UnsupportedMediaType(content_type[:100], f"Unsupported media type; send {allowed}.")
    return content_type


def _parse(content: bytes, content_type: str) -> Body:
    try:
        return parse(content, content_type == NDJSON, settings.TELEMETRY_MAX_EVENTS)
    except BodyError as error:
        raise ValidationError({"detail": str(error)}) from error
    except TooManyEventsError as error:
        raise TooLargeError(str(error)) from error
