"""What the OpenAPI document says of each endpoint of reporting: parameters, bodies, answers and examples.

What stands here decorates methods of views. Limits come from the views that set them.
"""

import json
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.views import APIView

from reporting.api import examples
from reporting.feeds import FEEDS, Feed
from reporting.ingest import MOST_ROWS
from reporting.openapi import message_schema, request_schema, wire_schema
from reporting.serializers import FOLLOW_UP, RECORDING
from smplat.openapi import (
    AWAY,
    FORBIDDEN,
    NDJSON,
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
    texts,
)


def _list(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


_ROWS = {key: component(feed.model.partition(".")[2], wire_schema(feed)) for key, feed in FEEDS.items()}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TEXT: Schema = {"type": "string"}
_CLOSED = {401: UNAUTHORIZED, 403: FORBIDDEN}
_BAD_LIMIT = {"limit": ["Must be a whole number from 1 to 100."]}
_ACTIVITY = {"totalActions": _COUNT, "lastAction": _TEXT, "lastActionAt": TIME}
_STATUS = component(
    "ProviderStatus",
    objects(
        {
            "providerId": _TEXT,
            "providerName": nullable(_TEXT),
            "isPaused": {"type": "boolean"},
            "lastAction": nullable(_TEXT),
            "updatedAt": nullable(TIME),
            "lastFollowUpId": nullable({"type": "string", "format": "uuid"}),
        }
    ),
)
_SUMMARY = component(
    "WorkflowSummary",
    objects(
        {
            "totalEvents": _COUNT,
            "lastCapturedAt": nullable(TIME),
            "actionCounts": _list(objects({"action": _TEXT, "count": _COUNT, "lastOccurredAt": TIME})),
            "attachmentTotals": objects(dict.fromkeys(("upload", "remove", "copy", "tag"), _COUNT)),
            "providerActivity": _list(
                objects({"providerId": _TEXT, "providerName": nullable(_TEXT), **_ACTIVITY}), maxItems=5
            ),
        }
    ),
)


def of_feed(view: type[APIView], feed: Feed, **methods: Callable[[Feed], Description]) -> Any:
    """The view function of ``view`` for ``feed``, each of ``methods`` described for that feed."""
    own = type(view.__name__, (view,), {"feed": feed, "__doc__": view.__doc__})
    described = {name: describe(feed) for name, describe in methods.items()}
    return extend_schema_view(**described)(own).as_view()


def _query(name: str, schema: Schema, description: str, example: Any = None) -> OpenApiParameter:
    given = [] if example is None else [OpenApiExample("Example", example)]
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description, examples=given)


def _header_sent_back(name: str, schema: Schema, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name, schema, OpenApiParameter.HEADER, required=True, description=description, response=[200]
    )


def _limit(most: int | None, default: int, description: str = "How many rows to return at most.") -> OpenApiParameter:
    upper = {} if most is None else {"maximum": most}
    return _query("limit", {"type": "integer", "minimum": 1, **upper, "default": default}, description)


_CURSOR = _query(
    "cursor",
    {"type": "string", "format": "cursor"},
    "The `nextCursor` of the page before, or a time with an offset, from 1970 to 2200.",
    examples.CURSOR,
)
_ORDER = _query(
    "order",
    {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
    "`desc` walks from the newest row, `asc` from the oldest.",
)
_NEXT_CURSOR: Schema = {**nullable(_TEXT), "description": "The `cursor` of the next page; null on the last."}


def window_export(feed: Feed) -> Description:
    """Describe the export of a feed's window."""
    window = feed.window or 0
    return extend_schema(
        operation_id=f"export_{feed.key}_window",
        tags=["Telemetry"],
        summary=f"Export the window: {feed.label}",
        parameters=[
            _limit(None, window, f"How many of the newest events to return; at most {window:,} are."),
            _header_sent_back(str(feed.count_header), _COUNT, "How many events the answer holds."),
        ],
        responses={
            (200, NDJSON): _rows_of(feed, "One event a line, oldest first."),
            400: error(
                "A bad parameter.", {"limit": [f"Must be a whole number from 1; at most {window} are returned."]}
            ),
            **_CLOSED,
            404: error("The window is empty.", {"detail": "There are no events yet."}),
            503: AWAY,
        },
    )


def artifact(feed: Feed) -> Description:
    """Describe the download of what a feed's job made."""
    return extend_schema(
        operation_id=f"download_{feed.key}_export",
        tags=["Downloads"],
        summary=f"Download the last export: {feed.label}",
        responses={
            (200, NDJSON): _rows_of(feed, "The object of the last successful run, byte for byte."),
            **_CLOSED,
            503: error("No run was successful so far.", {"detail": "There is no successful export yet."}),
        },
        # The API key opens these to nobody: they are pages of operators.
        auth=[{"Session": []}],  # type: ignore[list-item]
    )


def _rows_of(feed: Feed, description: str) -> Any:
    lines = {"type": "string", "contentMediaType": NDJSON, "contentSchema": _ROWS[feed.key]}
    example = json.dumps(examples.ROWS[feed.key], separators=(",", ":"))
    return answer({**lines, "description": "`contentSchema` is that of each line."}, description, f"{example}\n")


def workflow_summary(window: int) -> Description:
    """Describe the workflow summary."""
    return extend_schema(
        operation_id="summarize_workflow",
        tags=["Telemetry"],
        summary="Sum up the guardrail workflow",
        parameters=[_limit(None, window, f"How many of the newest events to read; at most {window:,} are.")],
        responses={
            200: answer(_SUMMARY, "What happened, the newest first.", examples.SUMMARY),
            400: error(
                "A bad parameter.", {"limit": [f"Must be a whole number from 1; at most {window} are returned."]}
            ),
            **_CLOSED,
            503: AWAY,
        },
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
                objects({"status": {"const": "accepted"}, "eventIds": _list({"type": "string", "format": "uuid"})}),
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


def experiment_events(most: int, default: int) -> Description:
    """Describe the list of segments."""
    return extend_schema(
        operation_id="list_experiment_events",
        tags=["Onboarding"],
        summary="List the segments of all orders",
        parameters=[_limit(most, default), _CURSOR, _ORDER],
        responses={
            200: answer(
                objects({"events": _list(_ROWS["onboarding_segments"], maxItems=most), "nextCursor": _NEXT_CURSOR}),
                "A page.",
                examples.SEGMENTS,
            ),
            400: error("A bad parameter.", _BAD_LIMIT),
            **_CLOSED,
            503: AWAY,
        },
    )


def conversions(most: int, default: int, longest_slug: int) -> Description:
    """Describe the conversions by experiment and variant."""
    counts = {"orderCount": _COUNT, "journeyCount": _COUNT}
    variant = objects({"variantKey": _TEXT, "variantName": nullable(_TEXT), "isControl": {"type": "boolean"}, **counts})
    metric = objects({"slug": _TEXT, **counts, "lastActivity": TIME, "variants": _list(variant)})
    cursor = _query("cursor", texts(longest_slug, least=1), "The last slug of the page before.", "spring-offer")
    return extend_schema(
        operation_id="list_experiment_conversions",
        tags=["Onboarding"],
        summary="Count conversions by experiment and variant",
        parameters=[_limit(most, default, "How many experiments to return at most."), cursor],
        responses={
            200: answer(
                objects(
                    {
                        "metrics": _list(metric, maxItems=most),
                        "cursor": nullable(_TEXT),
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


def follow_up(longest_key: int) -> Description:
    """Describe the recording of a follow-up."""
    key = OpenApiParameter(
        "Idempotency-Key",
        texts(longest_key, least=1),
        OpenApiParameter.HEADER,
        description="Makes repetitions within 24 hours harmless: they get the first answer.",
        examples=[OpenApiExample("Example", "9f6c1f0e-follow-up")],
    )
    recorded = {"entry": _ROWS["guardrail_followups"], "status": _STATUS, "providerTelemetry": {"type": "null"}}
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


def timeline(most: int, default: int, longest_provider_id: int) -> Description:
    """Describe the timeline of follow-ups."""
    provider = _query("providerId", texts(longest_provider_id, least=1), "Keeps to one provider, and tells its state.")
    page = {
        "entries": _list(_ROWS["guardrail_followups"], maxItems=most),
        "nextCursor": _NEXT_CURSOR,
        "status": nullable(_STATUS),
        "providerTelemetry": nullable(objects(_ACTIVITY)),
    }
    unknown = {"providerId": ["There is no follow-up of a provider provider-unknown."]}
    return extend_schema(
        operation_id="list_follow_ups",
        tags=["Guardrails"],
        summary="List guardrail follow-ups",
        parameters=[provider, _limit(most, default), _CURSOR, _ORDER],
        responses={
            200: answer(objects(page), "A page.", examples.TIMELINE),
            400: error("A bad parameter.", _BAD_LIMIT),
            **_CLOSED,
            404: error("There is no follow-up of the provider.", unknown),
            503: AWAY,
        },
    )


def automation_history(most: int, default: int) -> Description:
    """Describe the history of the provider automation."""
    digest = dict.fromkeys(("providerId", "severity", "guardrailStatus"), _TEXT)
    alert = objects({**digest, "providerName": nullable(_TEXT), "platformSlug": nullable(_TEXT), "occurredAt": TIME})
    telemetry: Schema = {"type": ["object", "null"], "description": "The workflow summary that the run read."}
    metadata = {
        "alertsDigest": _list(alert),
        "workflowTelemetry": telemetry,
        "workflowTelemetryError": {"type": "string", "description": "Why the summary could not be read."},
    }
    run = {
        "ranAt": TIME,
        "summary": objects(dict.fromkeys(("totalAlerts", "critical", "warning", "providers"), _COUNT)),
        "metadata": objects(metadata, ["alertsDigest", "workflowTelemetry"]),
    }
    return extend_schema(
        operation_id="list_automation_runs",
        tags=["Guardrails"],
        summary="List what the provider automation saw",
        parameters=[_limit(most, default, "How many runs to return at most.")],
        responses={
            200: answer(
                objects({"alerts": _list(objects(run), maxItems=most), "replay": _list({}, maxItems=0)}),
                "The newest runs.",
                examples.AUTOMATION,
            ),
            400: error("A bad parameter.", _BAD_LIMIT),
            **_CLOSED,
            503: AWAY,
        },
    )


def ingestion(feed: Feed) -> Description:
    """Describe the ingestion shim of a feed."""
    key = str(feed.webhook_key)
    identifier = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}
    stamp = {"type": "string", "format": "unix-time"}
    return extend_schema(
        operation_id=f"ingest_{feed.key}",
        tags=["Ingestion"],
        summary=f"Take a message of our webhook: {feed.label}",
        parameters=[
            _webhook_header("webhook-id", identifier, "The message's id; the same message is kept once.", "msg_1f2e"),
            _webhook_header("webhook-timestamp", stamp, "Unix time in seconds, at most 5 minutes off.", "1769054400"),
        ],
        request={"application/json": body(message_schema(feed, MOST_ROWS), {key: [examples.ROWS[feed.key]]})},
        responses={
            202: answer(
                objects({"status": {"const": "accepted"}, "rows": _COUNT, "object": _TEXT}),
                "The rows are on the stage.",
                {"status": "accepted", "rows": 1, "object": f"{feed.key}/dt=2026-01-22/msg_1f2e.ndjson"},
            ),
            400: error("A bad message.", {f"{key}[3].{feed.columns[-1].wire[0]}": ["Must not be null or missing."]}),
            401: error("Not signed, or too old.", {"detail": "The message is not signed by a secret known here."}),
            409: error("Another message had this id.", {"detail": "Message msg_1f2e was sent before with other rows."}),
            413: TOO_LARGE,
            503: error("The stage or the database is away.", {"detail": "The warehouse stage cannot be used."}),
        },
    )


def _webhook_header(name: str, schema: Schema, description: str, example: str) -> OpenApiParameter:
    given = [OpenApiExample("Example", example)]
    return OpenApiParameter(
        name, schema, OpenApiParameter.HEADER, required=True, description=description, examples=given
    )
