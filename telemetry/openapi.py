"""What the OpenAPI document says of the capture routes: events as the storefront sends them.

The limits are those of the columns. What a schema says of one event holds for the events of a batch as well, but one
that does not keep to it is reported by its index, and spoils no other.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

from django.conf import settings
from django.db.models import TextField
from drf_spectacular.utils import OpenApiRequest, OpenApiResponse, extend_schema
from rest_framework import serializers

from smplat.lib.openapi import (
    NDJSON,
    STORABLE,
    TIME,
    UNSUPPORTED,
    Schema,
    body,
    component,
    error,
    nullable,
    objects,
    others_allowed,
    string_schema,
)
from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent, TelemetryEvent

_Model = type[TelemetryEvent]
_NAMES: dict[_Model, list[str]] = {
    QuickOrderEvent: sorted(QuickOrderEvent.Name.values),
    GuardrailWorkflowEvent: [GuardrailWorkflowEvent.NAME],
}
#: The columns that texts of an event fill, by where they stand in it.
_COLUMNS: dict[_Model, dict[str, str]] = {
    QuickOrderEvent: {
        "guardrail.platformSlug": "platform_context",
        "sessionId": "session_id",
        "productId": "product_id",
        "productTitle": "product_title",
    },
    GuardrailWorkflowEvent: {
        "guardrail.platformSlug": "guardrail_platform_slug",
        "guardrail.guardrailStatus": "guardrail_status",
        "source": "source",
        "workflowAction": "workflow_action",
        "providerId": "provider_id",
        "providerName": "provider_name",
    },
}
_EXAMPLES: dict[_Model, dict[str, Any]] = {
    QuickOrderEvent: {
        "id": "0f8b7e0e-6a1c-4f53-9c55-7d1f1d4b2a10",
        "name": "quick_order.abort",
        "source": "storefront",
        "recordedAt": "2026-01-22T04:00:00.123Z",
        "guardrail": {"platformSlug": "instagram", "loyaltyTier": None, "guardrailStatus": "healthy"},
        "metadata": {"platformType": "instagram", "providerOrders": 35},
        "sessionId": "qos_1ppgnt",
        "productId": "prod_ig_boost",
        "productTitle": "Instagram Momentum",
        "reason": "dismiss",
    },
    GuardrailWorkflowEvent: {
        "id": "evt_1731052800000_a1b2c3",
        "name": GuardrailWorkflowEvent.NAME,
        "source": "admin",
        "recordedAt": "2026-01-22T04:05:00.000Z",
        "guardrail": {"platformSlug": "youtube", "guardrailStatus": "breached"},
        "metadata": {"attachmentName": "screen 1.jpg"},
        "workflowAction": "attachment.upload",
        "providerId": "provider-viralhub",
        "providerName": "ViralHub",
    },
}


def _event(model: _Model) -> Schema:
    """The schema of an event that ``model`` stores."""
    texts: dict[str, dict[str, Schema]] = {"": {}, "guardrail": {}}
    required = ["id", "name"]
    for path, column in _COLUMNS[model].items():
        field = cast("TextField[Any, Any]", model._meta.get_field(column))
        group, _, leaf = path.rpartition(".")
        schema = string_schema(field.max_length, min_length=0 if field.null else 1)
        texts[group][leaf] = nullable(schema) if field.null else schema
        required += [] if field.null else [path]
    properties = {
        "id": string_schema(200, min_length=1, description="Best a UUID; every other text maps to a UUIDv5."),
        "name": {"type": "string", "enum": _NAMES[model]},
        **dict.fromkeys(("source", "reason", "outcome"), STORABLE),
        "recordedAt": nullable({**TIME, "description": "From 1970 to 2200; the server's time where it is missing."}),
        "guardrail": nullable(objects(texts["guardrail"], [], **others_allowed(STORABLE))),
        "metadata": nullable(objects({}, **others_allowed(STORABLE))),
        **texts[""],
    }
    name = f"{model.__name__.removesuffix('Event')}Capture"
    return component(name, objects(properties, required, **others_allowed(STORABLE)))


_EVENTS = {model: _event(model) for model in _NAMES}
_OTHER = component(
    "OtherCapture",
    {
        "description": "An event of a name that no feed takes; it is counted as ignored.",
        **objects({"name": {"type": "string", "minLength": 1, "not": {"enum": sum(_NAMES.values(), [])}}}),
    },
)


class Rejected(serializers.Serializer[Any]):
    """An event of a batch that cannot be stored."""

    index = serializers.IntegerField(min_value=0)
    error = serializers.CharField()


class IntakeAnswer(serializers.Serializer[Any]):
    """What became of the events of a request."""

    component_name = "Intake"
    accepted = serializers.IntegerField(min_value=0, help_text="Events stored by this request.")
    duplicates = serializers.IntegerField(min_value=0, help_text="Events whose id was stored before.")
    ignored = serializers.IntegerField(min_value=0, help_text="Events that no feed of the route takes.")
    rejected = Rejected(many=True, help_text="Events of a batch that cannot be stored, by their index in it.")


def _requests(event: Schema, batch: Schema, example: Schema) -> dict[str, OpenApiRequest]:
    """The body of a capture route, by content type."""
    # What is no event is reported by its index, so that nothing spoils a batch.
    items = {"anyOf": [event, {}]}
    array = {"type": "array", "items": items, "minItems": 1, "maxItems": settings.TELEMETRY_MAX_EVENTS, **batch}
    document = {"anyOf": [event, array]}
    encoded = {"type": "string", "contentMediaType": "application/json", "contentSchema": document}
    lines = {"type": "string", "contentMediaType": NDJSON, "contentSchema": event}
    text = json.dumps(example, separators=(",", ":"))
    return {
        "application/json": body(document, example, [example]),
        "text/plain": body({**encoded, "format": "json", "description": "JSON, as `sendBeacon` sends it."}, text),
        NDJSON: body({**lines, "format": "ndjson", "description": "One event a line."}, f"{text}\n{text}\n"),
    }


def capture_schema(operation_id: str, summary: str, models: Sequence[_Model], refusal: Schema) -> Callable[[Any], Any]:
    """Describe a capture route that takes the events of ``models``; ``refusal`` is an example of its 400."""
    example = _EXAMPLES[models[-1]]
    if len(models) == 1:
        names = {"type": "string", "enum": _NAMES[models[0]]}
        requests = _requests(_EVENTS[models[0]], {"contains": objects({"name": names})}, example)
    else:
        requests = _requests({"anyOf": [*(_EVENTS[model] for model in models), _OTHER]}, {}, example)
    return extend_schema(
        operation_id=operation_id,
        tags=["Capture"],
        summary=summary,
        request=requests,
        responses={
            202: OpenApiResponse(IntakeAnswer, "What became of each event."),
            400: error("The body is empty, no JSON, or a single event that cannot be stored.", refusal),
            415: UNSUPPORTED,
            429: error("Too many requests from this address.", "Request was throttled."),
        },
        auth=[],
    )
