"""What operators did about providers whose guardrails were touched."""

from datetime import timedelta

from reporting.feeds.definition import Column, ColumnType, Feed, WireField, flat_wire

_COLUMNS = (
    Column(
        "follow_up_id", ColumnType.UUID, ("followUpId", "id"), "Primary key mirroring `provider_guardrail_followup.id`."
    ),
    Column("provider_id", ColumnType.TEXT, ("providerId",), "Provider, as the fulfilment pages name it."),
    Column("provider_name", ColumnType.TEXT, ("providerName",), "The provider's name at the time.", nullable=True),
    Column("action", ColumnType.TEXT, ("action",), "What the operator did: `pause`, `resume` or `escalate`."),
    Column("notes", ColumnType.TEXT, ("notes",), "The operator's notes, as sent to Slack.", nullable=True),
    Column(
        "platform_context_id", ColumnType.TEXT, ("platformContext.id",), "Platform slug of the alert.", nullable=True
    ),
    Column(
        "platform_context_label",
        ColumnType.TEXT,
        ("platformContext.label",),
        "Platform name for people.",
        nullable=True,
    ),
    Column(
        "platform_context_handle",
        ColumnType.TEXT,
        ("platformContext.handle",),
        "Handle on the platform.",
        nullable=True,
    ),
    Column(
        "platform_context_type", ColumnType.TEXT, ("platformContext.platformType",), "Kind of platform.", nullable=True
    ),
    Column(
        "conversion_cursor",
        ColumnType.TEXT,
        ("conversionCursor",),
        "Conversion slice; NULL is the live one.",
        nullable=True,
    ),
    Column("conversion_href", ColumnType.TEXT, ("conversionHref",), "Link to the conversions reviewed.", nullable=True),
    Column("created_at", ColumnType.TIMESTAMP, ("createdAt",), "When the server stored the follow-up."),
)

FEED = Feed(
    rank=40,
    key="guardrail_followups",
    label="Guardrail follow-ups",
    model="reporting.GuardrailFollowUp",
    table="analytics.guardrail_followups",
    columns=_COLUMNS,
    wire=(WireField("id", "follow_up_id"), *flat_wire(*_COLUMNS)),
    schedule_minutes="5",
    interval=timedelta(hours=1),
    key_column="follow_up_id",
    time_column="created_at",
    optional_groups=frozenset({"platformContext"}),
    setting_prefix="GUARDRAIL_EXPORT",
    webhook_setting="ANALYTICS_GUARDRAIL_WEBHOOK",
    webhook_key="followUps",
)
