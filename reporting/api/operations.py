"""What the OpenAPI document says of the endpoints of onboarding and of guardrails.

What stands here decorates methods of views. Limits come from the views that set them.
"""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema

from reporting.api import examples
from reporting.api.parameters import CURSOR, ORDER, limit, query
from reporting.api.schemas import ACTIVITY, COUNT, ROWS, TEXT, array, request_schema
from reporting.recording.requests import FOLLOW_UP, RECORDING
from smplat.lib.openapi import (
    AWAY,
    FORBIDDEN,
    TIME,
    TOO_LARGE,
    UNAUTHORIZED,
    UNSUPPORTED,
    Description,
    Schema,
    answer,
    body,
    component,
    error,
    nullable,
    objects,
    string_schema,
)

_CLOSED = {401: UNAUTHORIZED, 403: FORBIDDEN}
_BAD_LIMIT = {"limit": ["Must be a whole number from 1 to 100."]}
_NEXT_CURSOR: Schema = {**nullable(TEXT), "description": "The `cursor` of the next page; null on the last."}
_STATUS = component(
    "ProviderStatus",
    objects(
        {
            "providerId": TEXT,
            "providerName": nullable(TEXT),
            "isPaused": {"type": "boolean"},
            "lastAction": nullable(TEXT),
            "updatedAt": nullable(TIME),
            "lastFollowUpId": nullable({"type": "string", "format": "uuid"}),
        }
    ),
)


def recording() -> Description:
    """Describe the recording of experiments."""
    order = OpenApiParameter(
        "order_id", {"type": "string", "format": "uuid"}, OpenApiParameter.PATH, description="The order.", required=True
    )
    schema = component("Recording", request_schema(RECORDING))
    return extend_schema(
        operation_id="record_experiments",
        tags=["Onboarding"],
        summary="Record the pricing experiments of an order",
        description="Writes an event for each distinct variant. Keys may be spelled in snake_case as well.",
        parameters=[order],
        request={"application/json": body(schema, examples.RECORDING)},
        responses={
            202: answer(
                objects({"status": {"const": "accepted"}, "eventIds": array({"type": "string", "format": "uuid"})}),
                "The events' ids, in the order of the experiments.",
                examples.RECORDED,
            ),
            400: error("A bad body.", {"experiments[0].slug": ["Must be a text of 1 to 200 characters."]}),
            401: UNAUTHORIZED,
            404: error("The order has no such journey.", {"journeyId": ["unknown journey; leave it out."]}),
            413: TOO_LARGE,
            415: UNSUPPORTED,
            503: AWAY,
        },
    )


def experiment_events(maximum: int, default: int) -> Description:
    """Describe the list of segments."""
    return extend_schema(
        operation_id="list_experiment_events",
        tags=["Onboarding"],
        summary="List the segments of all orders",
        parameters=[limit(maximum, default), CURSOR, ORDER],
        responses={
            200: answer(
                objects({"events": array(ROWS["onboarding_segments"], maxItems=maximum), "nextCursor": _NEXT_CURSOR}),
                "A page.",
                examples.SEGMENTS,
            ),
            400: error("A bad parameter.", _BAD_LIMIT),
            **_CLOSED,
            503: AWAY,
        },
    )


def conversions(maximum: int, default: int, max_slug_length: int) -> Description:
    """Describe the conversions by experiment and variant."""
    counts = {"orderCount": COUNT, "journeyCount": COUNT}
    variant = objects({"variantKey": TEXT, "variantName": nullable(TEXT), "isControl": {"type": "boolean"}, **counts})
    metric = objects({"slug": TEXT, **counts, "lastActivity": TIME, "variants": array(variant)})
    cursor = query(
        "cursor", string_schema(max_slug_length, min_length=1), "The last slug of the page before.", "spring-offer"
    )
    return extend_schema(
        operation_id="list_experiment_conversions",
        tags=["Onboarding"],
        summary="Count conversions by experiment and variant",
        parameters=[limit(maximum, default, "How many experiments to return at most."), cursor],
        responses={
            200: answer(
                objects(
                    {
                        "metrics": array(metric, maxItems=maximum),
                        "cursor": nullable(TEXT),
                        "nextCursor": _NEXT_CURSOR,
                    }
                ),
                "A page, over all rows and in the order of the slugs.",
                examples.CONVERSIONS,
            ),
            400: error("A bad parameter.", _BAD_LIMIT),
            **_CLOSED,
            503: AWAY,
        },
    )


def follow_up(max_key_length: int) -> Description:
    """Describe the recording of a follow-up."""
    key = OpenApiParameter(
        "Idempotency-Key",
        string_schema(max_key_length, min_length=1),
        OpenApiParameter.HEADER,
        description="Makes repetitions within 24 hours harmless: they get the first answer.",
        examples=[OpenApiExample("Example", "9f6c1f0e-follow-up")],
    )
    recorded = {"entry": ROWS["guardrail_followups"], "status": _STATUS, "providerTelemetry": {"type": "null"}}
    reused = {"Idempotency-Key": ["This key came before with another body."]}
    return extend_schema(
        operation_id="record_follow_up",
        tags=["Guardrails"],
        summary="Record a guardrail follow-up",
        description="Keys may be spelled in snake_case as well.",
        parameters=[key],
        request={"application/json": body(component("FollowUp", request_schema(FOLLOW_UP)), examples.FOLLOW_UP)},
        responses={
            201: answer(objects(recorded), "The follow-up, and the provider's state.", examples.FOLLOW_UP_RECORDED),
            400: error("A bad body.", {"action": ["Must be one of pause, resume, escalate."]}),
            **_CLOSED,
            409: error("The key belongs to another request.", reused),
            413: TOO_LARGE,
            415: UNSUPPORTED,
            503: AWAY,
        },
    )


def timeline(maximum: int, default: int, max_provider_id_length: int) -> Description:
    """Describe the timeline of follow-ups."""
    provider = query(
        "providerId", string_schema(max_provider_id_length, min_length=1), "Keeps to one provider, and tells its state."
    )
    page = {
        "entries": array(ROWS["guardrail_followups"], maxItems=maximum),
        "nextCursor": _NEXT_CURSOR,
        "status": nullable(_STATUS),
        "providerTelemetry": nullable(objects(ACTIVITY)),
    }
    unknown = {"providerId": ["There is no follow-up of a provider provider-unknown."]}
    return extend_schema(
        operation_id="list_follow_ups",
        tags=["Guardrails"],
        summary="List guardrail follow-ups",
        parameters=[provider, limit(maximum, default), CURSOR, ORDER],
        responses={
            200: answer(objects(page), "A page.", examples.TIMELINE),
            400: error("A bad parameter.", _BAD_LIMIT),
            **_CLOSED,
            404: error("There is no follow-up of the provider.", unknown),
            503: AWAY,
        },
    )


def automation_history(maximum: int, default: int) -> Description:
    """Describe the history of the provider automation."""
    digest = dict.fromkeys(("providerId", "severity", "guardrailStatus"), TEXT)
    alert = objects({**digest, "providerName": nullable(TEXT), "platformSlug": nullable(TEXT), "occurredAt": TIME})
    telemetry: Schema = {"type": ["object", "null"], "description": "The workflow summary that the run read."}
    metadata = {
        "alertsDigest": array(alert),
        "workflowTelemetry": telemetry,
        "workflowTelemetryError": {"type": "string", "description": "Why the summary could not be read."},
    }
    run = {
        "ranAt": TIME,
        "summary": objects(dict.fromkeys(("totalAlerts", "critical", "warning", "providers"), COUNT)),
        "metadata": objects(metadata, ["alertsDigest", "workflowTelemetry"]),
    }
    return extend_schema(
        operation_id="list_automation_runs",
        tags=["Guardrails"],
        summary="List what the provider automation saw",
        parameters=[limit(maximum, default, "How many runs to return at most.")],
        responses={
            200: answer(
                objects({"alerts": array(objects(run), maxItems=maximum), "replay": array({}, maxItems=0)}),
                "The newest runs.",
                examples.AUTOMATION,
            ),
            400: error("A bad parameter.", _BAD_LIMIT),
            **_CLOSED,
            503: AWAY,
        },
    )
