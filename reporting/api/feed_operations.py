"""What the OpenAPI document says of the endpoints that exist once for each of several feeds, and of the summary."""

import json
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.views import APIView

from reporting.api import examples
from reporting.api.parameters import limit, sent_back
from reporting.api.schemas import ACTIVITY, COUNT, ROWS, TEXT, array, message_schema
from reporting.feeds import Feed
from reporting.webhooks.receive import MAX_ROWS
from smplat.lib.openapi import (
    AWAY,
    FORBIDDEN,
    NDJSON,
    TIME,
    TOO_LARGE,
    UNAUTHORIZED,
    Description,
    Schema,
    answer,
    body,
    component,
    error,
    nullable,
    objects,
)

_CLOSED = {401: UNAUTHORIZED, 403: FORBIDDEN}
_SUMMARY = component(
    "WorkflowSummary",
    objects(
        {
            "totalEvents": COUNT,
            "lastCapturedAt": nullable(TIME),
            "actionCounts": array(objects({"action": TEXT, "count": COUNT, "lastOccurredAt": TIME})),
            "attachmentTotals": objects(dict.fromkeys(("upload", "remove", "copy", "tag"), COUNT)),
            "providerActivity": array(
                objects({"providerId": TEXT, "providerName": nullable(TEXT), **ACTIVITY}), maxItems=5
            ),
        }
    ),
)


def of_feed(view: type[APIView], feed: Feed, **methods: Callable[[Feed], Description]) -> Any:
    """The view function of ``view`` for ``feed``, each of ``methods`` described for that feed."""
    own: Any = type(view.__name__, (view,), {"feed": feed, "__doc__": view.__doc__})
    described = {name: describe(feed) for name, describe in methods.items()}
    return extend_schema_view(**described)(own).as_view()


def window_export(feed: Feed) -> Description:
    """Describe the export of a feed's window."""
    window = feed.window or 0
    return extend_schema(
        operation_id=f"export_{feed.key}_window",
        tags=["Telemetry"],
        summary=f"Export the window: {feed.label}",
        parameters=[
            limit(None, window, f"How many of the newest events to return; at most {window:,} are."),
            sent_back(str(feed.count_header), COUNT, "How many events the answer holds."),
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
    lines = {"type": "string", "contentMediaType": NDJSON, "contentSchema": ROWS[feed.key]}
    example = json.dumps(examples.ROWS[feed.key], separators=(",", ":"))
    return answer({**lines, "description": "`contentSchema` is that of each line."}, description, f"{example}\n")


def workflow_summary(window: int) -> Description:
    """Describe the workflow summary."""
    return extend_schema(
        operation_id="summarize_workflow",
        tags=["Telemetry"],
        summary="Sum up the guardrail workflow",
        parameters=[limit(None, window, f"How many of the newest events to read; at most {window:,} are.")],
        responses={
            200: answer(_SUMMARY, "What happened, the newest first.", examples.SUMMARY),
            400: error(
                "A bad parameter.", {"limit": [f"Must be a whole number from 1; at most {window} are returned."]}
            ),
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
        request={"application/json": body(message_schema(feed, MAX_ROWS), {key: [examples.ROWS[feed.key]]})},
        responses={
            202: answer(
                objects({"status": {"const": "accepted"}, "rows": COUNT, "object": TEXT}),
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
