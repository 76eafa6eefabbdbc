"""Which variants of pricing experiments an order saw."""

from datetime import timedelta

from reporting.feeds.definition import Column, ColumnType, Feed, flat_wire


def _optional(name: str, wire: str, help_text: str, kind: ColumnType = ColumnType.TEXT) -> Column:
    """A column that storefronts may leave out."""
    return Column(name, kind, (wire,), help_text, nullable=True, null_text="unknown")


_COLUMNS = (
    Column("event_id", ColumnType.UUID, ("eventId",), "Primary key mirroring `onboarding_journey_events.id`."),
    Column("journey_id", ColumnType.UUID, ("journeyId",), "Journey that produced the telemetry."),
    Column("order_id", ColumnType.UUID, ("orderId",), "Order tied to the pricing experiment."),
    Column("order_number", ColumnType.TEXT, ("orderNumber",), "Order reference for people.", nullable=True),
    Column("slug", ColumnType.TEXT, ("slug",), "Pricing experiment, such as `spring-offer`."),
    Column("variant_key", ColumnType.TEXT, ("variantKey",), "Variant recorded on checkout, success and account pages."),
    _optional("variant_name", "variantName", "Display name of the variant."),
    _optional("is_control", "isControl", "Whether the variant is the control cohort.", ColumnType.BOOLEAN),
    _optional("status", "status", "Status of the experiment at assignment (running, paused)."),
    _optional("feature_flag_key", "featureFlagKey", "Storefront flag that shows the experiment."),
    _optional("assignment_strategy", "assignmentStrategy", "How the variant was chosen."),
    Column("recorded_at", ColumnType.TIMESTAMP, ("recordedAt",), "When the server stored the event."),
)

FEED = Feed(
    rank=30,
    key="onboarding_segments",
    label="Onboarding pricing experiment segments",
    model="reporting.PricingExperimentSegment",
    table="analytics.onboarding_pricing_experiment_segments",
    columns=_COLUMNS,
    wire=flat_wire(*_COLUMNS),
    schedule_minutes="15",
    interval=timedelta(hours=1),
    setting_prefix="ONBOARDING_EXPORT",
    has_status_url=False,
    webhook_setting="ANALYTICS_SEGMENTS_WEBHOOK",
    webhook_key="events",
    checkpoint_name="onboarding_export_cursor.json",
    file_name="onboarding_pricing_segments.ndjson",
    list_path="reporting/onboarding/experiment-events",
)
