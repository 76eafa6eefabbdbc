"""REST endpoint of guardrail follow-ups: recording, and the timeline."""

from typing import Any

from django.contrib.auth.models import User
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api import operations
from reporting.api.parsing import JsonRenderer, ObjectParser, cursor_of, is_ascending, limit_of, string_of
from reporting.feeds.cursors import Walk
from reporting.insights.workflow import provider_telemetry
from reporting.models import ProviderGuardrailStatus
from reporting.recording import followups
from reporting.recording.idempotency import KeyReusedError
from reporting.recording.requests import FOLLOW_UP, validated
from smplat.lib.access import KeyOrOperator
from smplat.lib.errors import ConflictError

_MAX_ROWS, _DEFAULT_ROWS = 100, 15
_MAX_KEY_LENGTH = 200
_MAX_PROVIDER_ID_LENGTH = 200


class FollowUpsView(APIView):
    """Records guardrail follow-ups, and lists them as a timeline."""

    permission_classes = (KeyOrOperator,)
    parser_classes = (ObjectParser,)
    renderer_classes = (JsonRenderer,)

    @property
    def required_permission(self) -> str:
        """The permission to add a follow-up or to view them."""
        return f"reporting.{'add' if self.request.method == 'POST' else 'view'}_guardrailfollowup"

    @operations.follow_up(_MAX_KEY_LENGTH)
    def post(self, request: Request) -> Response:
        """Record a follow-up, and return it with the state in which it leaves the provider."""
        key = _idempotency_key(request)
        try:
            recorded = followups.record(validated(FOLLOW_UP, request.data), key, _operator(request))
        except KeyReusedError as error:
            raise ConflictError({"Idempotency-Key": [str(error)]}) from error
        return Response({**recorded, "providerTelemetry": None}, status=status.HTTP_201_CREATED)

    @operations.timeline(_MAX_ROWS, _DEFAULT_ROWS, _MAX_PROVIDER_ID_LENGTH)
    def get(self, request: Request) -> Response:
        """Return a page of the timeline of one provider, or of all of them."""
        limit, cursor = limit_of(request, _MAX_ROWS, _DEFAULT_ROWS), cursor_of(request)
        provider_id = string_of(request, "providerId", _MAX_PROVIDER_ID_LENGTH)
        provider: dict[str, Any] = {"status": None, "providerTelemetry": None}
        if provider_id is not None:
            provider = {"status": _status(provider_id), "providerTelemetry": provider_telemetry(provider_id)}
        within = None if provider_id is None else ("provider_id", provider_id)
        page = Walk(followups.FEED, is_ascending(request), within).page(limit, cursor)
        return Response({"entries": page.rows, "nextCursor": page.next_cursor, **provider})


def _operator(request: Request) -> User | None:
    """The signed-in operator; None for the holder of a key."""
    return request.user if isinstance(request.user, User) else None


def _status(provider_id: str) -> dict[str, Any]:
    try:
        return followups.status_wire(ProviderGuardrailStatus.objects.get(pk=provider_id))
    except ProviderGuardrailStatus.DoesNotExist as error:
        raise NotFound({"providerId": [f"There is no follow-up of a provider {provider_id}."]}) from error


def _idempotency_key(request: Request) -> str | None:
    given = request.headers.get("Idempotency-Key")
    if given is not None and ("\x00" in given or not 1 <= len(given) <= _MAX_KEY_LENGTH):
        message = f"Must be a text of 1 to {_MAX_KEY_LENGTH} characters, none of them NUL."
        raise ValidationError({"Idempotency-Key": [message]})
    return given
