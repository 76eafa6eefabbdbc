"""What operators do in the guardrail workflow."""

from datetime import timedelta

from reporting.feeds.definition import Column, ColumnType, Feed, WireField, telemetry_wire

_COLUMNS = (
    Column("event_id", ColumnType.UUID, ("id",), "The event's UUID; other ids of the client map to a UUIDv5."),
    Column("provider_id", ColumnType.TEXT, ("providerId",), "Provider of the workflow action.", nullable=True),
    Column("provider_name", ColumnType.TEXT, ("providerName",), "The provider's display name.", nullable=True),
    Column(
        "workflow_action", ColumnType.TEXT, ("workflowAction",), "`attachment.upload`, `note.update`, `queue.pause`, …"
    ),
    Column(
        "recorded_at",
        ColumnType.TIMESTAMP,
        ("recordedAt",),
        "When the action happened, by the telemetry proxy's clock.",
    ),
    Column("source", ColumnType.TEXT, ("source",), "`admin`, `automation` or `storefront`.", nullable=True),
    Column("guardrail_platform_slug", ColumnType.TEXT, ("guardrail.platformSlug",), "Platform slug.", nullable=True),
    Column(
        "guardrail_status",
        ColumnType.TEXT,
        ("guardrail.guardrailStatus",),
        "`healthy`, `warning`, `breached`.",
        nullable=True,
    ),
    Column("metadata", ColumnType.JSON, ("metadata",), "Attachment ids, snippet metadata, queue context."),
)

FEED = Feed(
    rank=20,
    key="guardrail_workflow",
    label="Guardrail workflow telemetry",
    model="telemetry.GuardrailWorkflowEvent",
    table="analytics.guardrail_workflow_events",
    columns=_COLUMNS,
    wire=telemetry_wire(
        WireField("workflowAction", "workflow_action"),
        WireField("providerId", "provider_id"),
        WireField("providerName", "provider_name"),
    ),
    schedule_minutes="*/30",
    interval=timedelta(minutes=30),
    window=2_000,
    metrics="telemetry.summaries.WorkflowActivity",
    names_object=True,
)
