"""What the OpenAPI document says of the capture routes: events as the storefront sends them.

The limits are those of the columns. What a schema says of one event holds for the events of a batch as well, but one
that does not keep to it is reported by its index, and spoils no other.
"""

import json
from typing import Any, cast

from django.conf import settings
from django.db.models import TextField
from drf_spectacular.utils import extend_schema

from smplat.lib.openapi import (
    AWAY,
    NDJSON,
    STORABLE,
    TIME,
    TOO_LARGE,
    UNSUPPORTED,
    Description,
    Schema,
    answer,
    body,
    component,
    error,
    nullable,
    objects,
    open_objects,
    string_schema,
)
from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent, TelemetryEvent

_NAMES = sorted(QuickOrderEvent.names)
_QUICK_ORDER_EXAMPLE = {
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
}
_WORKFLOW_EXAMPLE = {
    "id": "evt_1731052800000_a1b2c3",
    "name": GuardrailWorkflowEvent.names[0],
    "source": "admin",
    "recordedAt": "2026-01-22T04:05:00.000Z",
    "guardrail": {"platformSlug": "youtube", "guardrailStatus": "breached"},
    "metadata": {"attachmentName": "screen 1.jpg"},
    "workflowAction": "attachment.upload",
    "providerId": "provider-viralhub",
    "providerName": "ViralHub",
}


def _text(model: type[TelemetryEvent], column: str, **more: Any) -> Schema:
    """A text that fills a column."""
    field = cast("TextField[Any, Any]", model._meta.get_field(column))
    return (
        nullable(string_schema(field.max_length, **more))
        if field.null
        else string_schema(field.max_length, min_length=1, **more)
    )


def _event(name: Schema, guardrail: dict[str, Schema], more: dict[str, Schema], required: list[str]) -> Schema:
    properties = {
        "id": string_schema(200, min_length=1, description="Best a UUID; every other text maps to a UUIDv5."),
        "name": name,
        "source": STORABLE,
        "recordedAt": nullable({**TIME, "description": "From 1970 to 2200; the server's time where it is missing."}),
        "guardrail": nullable(open_objects(guardrail, [], STORABLE)),
        "metadata": nullable(open_objects({}, [], STORABLE)),
        **more,
    }
    return open_objects(properties, ["id", "name", *required], STORABLE)


_QUICK_ORDER = component(
    "QuickOrderCapture",
    _event(
        {"type": "string", "enum": _NAMES},
        {"platformSlug": _text(QuickOrderEvent, "platform_context")},
        {
            "sessionId": _text(QuickOrderEvent, "session_id"),
            "productId": _text(QuickOrderEvent, "product_id"),
            "productTitle": _text(QuickOrderEvent, "product_title"),
            "reason": STORABLE,
            "outcome": STORABLE,
        },
        [],
    ),
)
_WORKFLOW = component(
    "GuardrailWorkflowCapture",
    _event(
        {"type": "string", "const": GuardrailWorkflowEvent.names[0]},
        {
            "platformSlug": _text(GuardrailWorkflowEvent, "guardrail_platform_slug"),
            "guardrailStatus": _text(GuardrailWorkflowEvent, "guardrail_status"),
        },
        {
            "source": _text(GuardrailWorkflowEvent, "source"),
            "workflowAction": _text(GuardrailWorkflowEvent, "workflow_action"),
            "providerId": _text(GuardrailWorkflowEvent, "provider_id"),
            "providerName": _text(GuardrailWorkflowEvent, "provider_name"),
        },
        ["workflowAction"],
    ),
)
_OTHER = component(
    "OtherCapture",
    {
        "description": "An event of a name that no feed takes; it is counted as ignored.",
        **objects(
            {"name": {"type": "string", "minLength": 1, "not": {"enum": [*_NAMES, GuardrailWorkflowEvent.names[0]]}}}
        ),
    },
)
_INTAKE = component(
    "Intake",
    objects(
        {
            "accepted": {"type": "integer", "minimum": 0, "description": "Events stored by this request."},
            "duplicates": {"type": "integer", "minimum": 0, "description": "Events whose id was stored before."},
            "ignored": {"type": "integer", "minimum": 0, "description": "Events that no feed of the route takes."},
            "rejected": {
                "type": "array",
                "items": objects({"index": {"type": "integer", "minimum": 0}, "error": {"type": "string"}}),
                "description": "Events of a batch that cannot be stored, by their index in it.",
            },
        }
    ),
)


def _requests(event: Schema, batch: Schema, example: Schema) -> dict[str, Any]:
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


def _capture(operation_id: str, summary: str, refusal: Schema, requests: dict[str, Any]) -> Description:
    rejected = {"index": 1, "error": "recordedAt: must lie between 1970 and 2200"}
    intake = {"accepted": 1, "duplicates": 0, "ignored": 0, "rejected": []}
    responses = {
        202: answer(_INTAKE, "What became of each event.", intake, {**intake, "rejected": [rejected]}),
        400: error("The body is empty, no JSON, or a single event that cannot be stored.", refusal),
        413: TOO_LARGE,
        415: UNSUPPORTED,
        429: error("Too many requests from this address.", {"detail": "Request was throttled."}),
        503: AWAY,
    }
    return extend_schema(
        operation_id=operation_id, tags=["Capture"], summary=summary, request=requests, responses=responses, auth=[]
    )


CAPTURE = _capture(
    "capture",
    "Capture telemetry",
    {"id": ["must be a text of 1 to 200 characters, best a UUID"]},
    _requests({"anyOf": [_QUICK_ORDER, _WORKFLOW, _OTHER]}, {}, _WORKFLOW_EXAMPLE),
)
QUICK_ORDER_CAPTURE = _capture(
    "captureQuickOrder",
    "Capture quick-order telemetry",
    {"name": ["No event is quick_order.start, quick_order.abort or quick_order.complete."]},
    _requests(_QUICK_ORDER, {"contains": objects({"name": {"type": "string", "enum": _NAMES}})}, _QUICK_ORDER_EXAMPLE),
)
