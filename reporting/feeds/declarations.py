"""The four feeds, each fact about them written once.

Everything that depends on a feed's shape (serializers, CSV, NDJSON, warehouse SQL, the schedule, the generated
documentation) is derived from these declarations. This module imports no model, because the schedule and the settings
of the worker are built from it before Django's applications are loaded; models are named by label.

The column tables come from the customer's data lake reference.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


class ColumnType(Enum):
    """The types of the warehouse's columns."""

    UUID = "UUID"
    TEXT = "TEXT"
    BOOLEAN = "BOOLEAN"
    TIMESTAMP = "TIMESTAMP WITH TZ"
    JSON = "VARIANT"


@dataclass(frozen=True)
class Column:
    """One column of a feed's warehouse table.

    Attributes:
        name: the column's name in the warehouse, and the model field's name.
        type: its type in the warehouse.
        wire: dotted paths in the wire shape where the value stands; the first that is not null counts.
        help: what it means.
        nullable: whether it may be NULL.
    """

    name: str
    type: ColumnType
    wire: tuple[str, ...]
    help: str
    nullable: bool = False


@dataclass(frozen=True)
class WireField:
    """One value of a feed's wire shape.

    Attributes:
        path: dotted path of the value; fields that share a first part form a nested object.
        source: the model field's name, or a path into one of its JSON fields (``event__source``).
    """

    path: str
    source: str


@dataclass(frozen=True)
class Feed:
    """One feed: a model, the warehouse table that mirrors it, and how rows travel between them.

    Attributes:
        key: the feed's name in commands, URLs and settings.
        label: its name for people.
        model: the model's label, ``app.Model``.
        table: the warehouse table.
        key_column: the column that identifies a row.
        time_column: the column whose newest value tells how fresh the feed is.
        columns: the warehouse columns, in the reference's order.
        wire: the wire shape, in the order in which its fields are written.
        schedule_minutes: the minutes of each hour at which its job starts, as crontab writes them.
        interval: the time between two scheduled runs.
        folder: the first part of its objects' keys.
        window: how many of the newest rows each object holds; None for an incremental feed.
        count_header: the response header that counts the rows of a window export.
        optional_groups: first parts of wire paths whose object is null when all its values are.
        setting_prefix: how the names of its job's settings begin.
        webhook_setting: the setting with the URL of the webhook that takes its rows.
        checkpoint_name: file name of its checkpoint's copy.
        webhook_key: the key of the list of rows in a webhook's body; None for a feed that no webhook carries.
    """

    key: str
    label: str
    model: str
    table: str
    key_column: str
    time_column: str
    columns: tuple[Column, ...]
    wire: tuple[WireField, ...]
    schedule_minutes: str
    interval: timedelta
    folder: str
    window: int | None = None
    count_header: str | None = None
    optional_groups: frozenset[str] = frozenset()
    setting_prefix: str = ""
    webhook_setting: str = ""
    checkpoint_name: str = ""
    webhook_key: str | None = None

    @property
    def slack_setting(self) -> str:
        """The setting with the Slack webhook that is told of its runs."""
        return f"{self.setting_prefix}_SLACK_WEBHOOK"

    @property
    def snapshot_name(self) -> str:
        """File name of the feed's downloads and local snapshot, without a time."""
        return f"{self.folder}-events.ndjson"


def _flat(*columns: Column) -> tuple[WireField, ...]:
    return tuple(WireField(column.wire[0], column.name) for column in columns)


_UUID, _TEXT, _BOOLEAN = ColumnType.UUID, ColumnType.TEXT, ColumnType.BOOLEAN
_TIMESTAMP, _JSON = ColumnType.TIMESTAMP, ColumnType.JSON

_SEGMENT_COLUMNS = (
    Column("event_id", _UUID, ("eventId",), "Primary key mirroring `onboarding_journey_events.id`."),
    Column("journey_id", _UUID, ("journeyId",), "Journey that produced the telemetry."),
    Column("order_id", _UUID, ("orderId",), "Order tied to the pricing experiment."),
    Column("order_number", _TEXT, ("orderNumber",), "Order reference for people.", nullable=True),
    Column("slug", _TEXT, ("slug",), "Pricing experiment, such as `spring-offer`."),
    Column("variant_key", _TEXT, ("variantKey",), "Variant recorded on checkout, success and account pages."),
    Column("variant_name", _TEXT, ("variantName",), "Display name of the variant.", nullable=True),
    Column("is_control", _BOOLEAN, ("isControl",), "Whether the variant is the control cohort."),
    Column("status", _TEXT, ("status",), "Status of the experiment at assignment (running, paused)."),
    Column("feature_flag_key", _TEXT, ("featureFlagKey",), "Storefront flag that shows the experiment.", nullable=True),
    Column("assignment_strategy", _TEXT, ("assignmentStrategy",), "How the variant was chosen.", nullable=True),
    Column("recorded_at", _TIMESTAMP, ("recordedAt",), "When the server stored the event."),
)
_FOLLOWUP_COLUMNS = (
    Column("follow_up_id", _UUID, ("followUpId", "id"), "Primary key mirroring `provider_guardrail_followup.id`."),
    Column("provider_id", _TEXT, ("providerId",), "Provider, as the fulfilment pages name it."),
    Column("provider_name", _TEXT, ("providerName",), "The provider's name at the time.", nullable=True),
    Column("action", _TEXT, ("action",), "What the operator did: `pause`, `resume` or `escalate`."),
    Column("notes", _TEXT, ("notes",), "The operator's notes, as sent to Slack.", nullable=True),
    Column("platform_context_id", _TEXT, ("platformContext.id",), "Platform slug of the alert.", nullable=True),
    Column("platform_context_label", _TEXT, ("platformContext.label",), "Platform name for people.", nullable=True),
    Column("platform_context_handle", _TEXT, ("platformContext.handle",), "Handle on the platform.", nullable=True),
    Column("platform_context_type", _TEXT, ("platformContext.platformType",), "Kind of platform.", nullable=True),
    Column("conversion_cursor", _TEXT, ("conversionCursor",), "Conversion slice; NULL is the live one.", nullable=True),
    Column("conversion_href", _TEXT, ("conversionHref",), "Link to the conversions reviewed.", nullable=True),
    Column("created_at", _TIMESTAMP, ("createdAt",), "When the server stored the follow-up."),
)
_QUICK_ORDER_COLUMNS = (
    Column("event_id", _UUID, ("id",), "The event's UUID; other ids of the client map to a UUIDv5."),
    Column("session_id", _TEXT, ("sessionId",), "Storefront session.", nullable=True),
    Column("event_name", _TEXT, ("name",), "`quick_order.start`, `.abort` or `.complete`."),
    Column("product_id", _TEXT, ("productId",), "Product of the quick order.", nullable=True),
    Column("product_title", _TEXT, ("productTitle",), "The product's name in storefront analytics.", nullable=True),
    Column(
        "platform_context",
        _TEXT,
        ("guardrail.platformSlug", "metadata.platformType"),
        "Platform slug (Instagram, TikTok, …) where given.",
        nullable=True,
    ),
    Column("recorded_at", _TIMESTAMP, ("recordedAt",), "The storefront's time of the event."),
    Column("metadata", _JSON, ("metadata",), "What the client sent, with `reason` and `outcome`."),
)
_WORKFLOW_COLUMNS = (
    Column("event_id", _UUID, ("id",), "The event's UUID; other ids of the client map to a UUIDv5."),
    Column("provider_id", _TEXT, ("providerId",), "Provider of the workflow action.", nullable=True),
    Column("provider_name", _TEXT, ("providerName",), "The provider's display name.", nullable=True),
    Column("workflow_action", _TEXT, ("workflowAction",), "`attachment.upload`, `note.update`, `queue.pause`, …"),
    Column("recorded_at", _TIMESTAMP, ("recordedAt",), "When the action happened, by the telemetry proxy's clock."),
    Column("source", _TEXT, ("source",), "`admin`, `automation` or `storefront`.", nullable=True),
    Column("guardrail_platform_slug", _TEXT, ("guardrail.platformSlug",), "Platform slug.", nullable=True),
    Column(
        "guardrail_status", _TEXT, ("guardrail.guardrailStatus",), "`healthy`, `warning`, `breached`.", nullable=True
    ),
    Column("metadata", _JSON, ("metadata",), "Attachment ids, snippet metadata, queue context."),
)

_TELEMETRY_HEAD = (
    WireField("id", "event_id"),
    WireField("originalId", "event__id"),
    WireField("name", "event__name"),
    WireField("source", "event__source"),
    WireField("recordedAt", "recorded_at"),
)
_TELEMETRY_TAIL = (WireField("guardrail", "event__guardrail"), WireField("metadata", "metadata"))

FEEDS: dict[str, Feed] = {
    feed.key: feed
    for feed in (
        Feed(
            key="quick_order",
            label="Quick-order telemetry",
            model="telemetry.QuickOrderEvent",
            table="analytics.quick_order_events",
            key_column="event_id",
            time_column="recorded_at",
            columns=_QUICK_ORDER_COLUMNS,
            wire=(
                *_TELEMETRY_HEAD,
                WireField("sessionId", "session_id"),
                WireField("productId", "product_id"),
                WireField("productTitle", "product_title"),
                WireField("reason", "event__reason"),
                WireField("outcome", "event__outcome"),
                *_TELEMETRY_TAIL,
            ),
            schedule_minutes="*/30",
            interval=timedelta(minutes=30),
            folder="quick-order",
            setting_prefix="QUICK_ORDER_EXPORT",
            window=5_000,
            count_header="X-Quick-Order-Events",
        ),
        Feed(
            key="guardrail_workflow",
            label="Guardrail workflow telemetry",
            model="telemetry.GuardrailWorkflowEvent",
            table="analytics.guardrail_workflow_events",
            key_column="event_id",
            time_column="recorded_at",
            columns=_WORKFLOW_COLUMNS,
            wire=(
                *_TELEMETRY_HEAD,
                WireField("workflowAction", "workflow_action"),
                WireField("providerId", "provider_id"),
                WireField("providerName", "provider_name"),
                *_TELEMETRY_TAIL,
            ),
            schedule_minutes="*/30",
            interval=timedelta(minutes=30),
            folder="guardrail-workflow",
            setting_prefix="GUARDRAIL_WORKFLOW_EXPORT",
            window=2_000,
            count_header="X-Guardrail-Workflow-Events",
        ),
        Feed(
            key="onboarding_segments",
            label="Onboarding pricing experiment segments",
            model="reporting.PricingExperimentSegment",
            table="analytics.onboarding_pricing_experiment_segments",
            key_column="event_id",
            time_column="recorded_at",
            columns=_SEGMENT_COLUMNS,
            wire=_flat(*_SEGMENT_COLUMNS),
            schedule_minutes="15",
            interval=timedelta(hours=1),
            folder="onboarding-segments",
            setting_prefix="ONBOARDING_EXPORT",
            webhook_setting="ANALYTICS_SEGMENTS_WEBHOOK",
            checkpoint_name="onboarding_export_cursor.json",
            webhook_key="events",
        ),
        Feed(
            key="guardrail_followups",
            label="Guardrail follow-ups",
            model="reporting.GuardrailFollowUp",
            table="analytics.guardrail_followups",
            key_column="follow_up_id",
            time_column="created_at",
            columns=_FOLLOWUP_COLUMNS,
            wire=(WireField("id", "follow_up_id"), *_flat(*_FOLLOWUP_COLUMNS)),
            schedule_minutes="5",
            interval=timedelta(hours=1),
            folder="guardrail-followups",
            optional_groups=frozenset({"platformContext"}),
            setting_prefix="GUARDRAIL_EXPORT",
            webhook_setting="ANALYTICS_GUARDRAIL_WEBHOOK",
            checkpoint_name="guardrail_followups_cursor.json",
            webhook_key="followUps",
        ),
    )
}
WINDOW_FEEDS = tuple(feed for feed in FEEDS.values() if feed.window is not None)
