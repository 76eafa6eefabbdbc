"""How far shoppers get in the quick-order flow."""

from datetime import timedelta

from reporting.feeds.definition import Column, ColumnType, Feed, WireField, telemetry_wire

_COLUMNS = (
    Column("event_id", ColumnType.UUID, ("id",), "The event's UUID; other ids of the client map to a UUIDv5."),
    Column("session_id", ColumnType.TEXT, ("sessionId",), "Storefront session.", nullable=True),
    Column("event_name", ColumnType.TEXT, ("name",), "`quick_order.start`, `.abort` or `.complete`."),
    Column("product_id", ColumnType.TEXT, ("productId",), "Product of the quick order.", nullable=True),
    Column(
        "product_title",
        ColumnType.TEXT,
        ("productTitle",),
        "The product's name in storefront analytics.",
        nullable=True,
    ),
    Column(
        "platform_context",
        ColumnType.TEXT,
        ("guardrail.platformSlug", "metadata.platformType"),
        "Platform slug (Instagram, TikTok, …) where given.",
        nullable=True,
    ),
    Column("recorded_at", ColumnType.TIMESTAMP, ("recordedAt",), "The storefront's time of the event."),
    Column("metadata", ColumnType.JSON, ("metadata",), "What the client sent, with `reason` and `outcome`."),
)

FEED = Feed(
    rank=10,
    key="quick_order",
    label="Quick-order telemetry",
    model="telemetry.QuickOrderEvent",
    table="analytics.quick_order_events",
    columns=_COLUMNS,
    wire=telemetry_wire(
        WireField("sessionId", "session_id"),
        WireField("productId", "product_id"),
        WireField("productTitle", "product_title"),
        WireField("reason", "event__reason"),
        WireField("outcome", "event__outcome"),
    ),
    schedule_minutes="*/30",
    interval=timedelta(minutes=30),
    window=5_000,
    metrics="telemetry.summaries.Funnel",
)
