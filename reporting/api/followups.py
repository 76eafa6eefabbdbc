"""REST endpoint of guardrail follow-ups: recording, and the timeline."""

from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api.answers import Activity, FeedPage, FeedRow, NullField, ProviderStatus, Shape
from reporting.api.feed_views import SeveralPaths
from reporting.api.parsing import JsonRenderer, ObjectParser
from reporting.api.queries import TextField, page_query, read
from reporting.insights.workflow import provider_telemetry
from reporting.models import ProviderGuardrailStatus
from reporting.recording import followups
from reporting.recording.idempotency import KeyReusedError
from reporting.recording.requests import FOLLOW_UP, validated
from smplat.lib import openapi
from smplat.lib.access import KeyOrOperator
from smplat.lib.errors import ConflictError

_MAX_ROWS = 100
_KEY = TextField(200, "Makes repetitions within 24 hours harmless: they get the first answer.")
_KEY_HEADER = openapi.header(
    "Idempotency-Key", openapi.string_schema(_KEY.max_length, 1), str(_KEY.help_text), "9f6c1f0e-follow-up", False
)
_QUERY = page_query(
    _MAX_ROWS,
    default_rows=15,
    providerId=TextField(followups.PROVIDER.max_length, "Keeps to one provider, and tells its state."),
)
_PAGE = FeedPage(
    followups.FEED,
    "entries",
    _MAX_ROWS,
    status=ProviderStatus(allow_null=True),
    providerTelemetry=Activity(allow_null=True),
)


class FollowUpRecorded(Shape):
    """The follow-up, and the provider's state."""

    entry = FeedRow(followups.FEED)
    status = ProviderStatus()
    providerTelemetry = NullField()


class FollowUpsView(SeveralPaths, APIView):
    """Records guardrail follow-ups, and lists them as a timeline."""

    permission_classes = (KeyOrOperator,)
    parser_classes = (ObjectParser,)
    renderer_classes = (JsonRenderer,)

    @property
    def required_permission(self) -> str:
        """The permission to add a follow-up or to view them."""
        return f"reporting.{'add' if self.request.method == 'POST' else 'view'}_guardrailfollowup"

    @extend_schema(
        operation_id="record_follow_up",
        tags=["Guardrails"],
        summary="Record a guardrail follow-up",
        description="Keys may be spelled in snake_case as well.",
        parameters=[_KEY_HEADER],
        request=FOLLOW_UP,
        responses={
            201: FollowUpRecorded,
            409: openapi.error(
                "The key belongs to another request.",
                {"Idempotency-Key": ["This key came before with another body."]},
            ),
        },
    )
    def post(self, request: Request) -> Response:
        """Record a follow-up, and return it with the state in which it leaves the provider."""
        key = _idempotency_key(request)
        try:
            recorded = followups.record(validated(FOLLOW_UP, request.data), key, _operator(request))
        except KeyReusedError as error:
            raise ConflictError({"Idempotency-Key": [str(error)]}) from error
        return Response({**recorded, "providerTelemetry": None}, status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="list_follow_ups",
        tags=["Guardrails"],
        summary="List guardrail follow-ups",
        parameters=[_QUERY],
        responses={
            200: _PAGE,
            404: openapi.error(
                "There is no follow-up of the provider.",
                {"providerId": ["There is no follow-up of a provider provider-unknown."]},
            ),
        },
    )
    def get(self, request: Request) -> Response:
        """Return a page of the timeline of one provider, or of all of them."""
        query = read(_QUERY, request)
        provider_id = query["providerId"]
        provider: dict[str, Any] = {"status": None, "providerTelemetry": None}
        if provider_id is not None:
            provider = {"status": _status(provider_id), "providerTelemetry": provider_telemetry(provider_id)}
        page = followups.PROVIDER.walk(provider_id, query["order"] == "asc").page(query["limit"], query["cursor"])
        return Response({"entries": page.json_list, "nextCursor": page.next_cursor, **provider})


def _operator(request: Request) -> User | None:
    """The signed-in operator; None for the holder of a key."""
    return request.user if isinstance(request.user, User) else None


def _status(provider_id: str) -> dict[str, Any]:
    try:
        return followups.status_wire(ProviderGuardrailStatus.objects.get(pk=provider_id))
    except ProviderGuardrailStatus.DoesNotExist as error:
        raise NotFound({"providerId": [f"There is no follow-up of a provider {provider_id}."]}) from error


def _idempotency_key(request: Request) -> str | None:
    try:
        given = request.headers.get("Idempotency-Key")
        return None if given is None else str(_KEY.run_validation(given))
    except ValidationError as error:
        raise ValidationError({"Idempotency-Key": error.detail}) from error
