"""The feeds as the checker knows them: by the promises of the contract, and without the code that it judges."""

from typing import NamedTuple


class CheckedFeed(NamedTuple):
    """One feed.

    Attributes:
        table: where its rows are stored.
        key: the column that identifies a row.
        token: the column by which a client knows its row again, whether or not it got an answer.
        wire_key: the name of the key in wire shape.
        webhook_list: the name of the list of its rows in webhook messages; empty where there is no webhook.
    """

    table: str
    key: str
    token: str
    wire_key: str
    webhook_list: str = ""


FEEDS = {
    "quick_order": CheckedFeed("telemetry_quickorderevent", "event_id", "event_id", "id"),
    "guardrail_workflow": CheckedFeed("telemetry_guardrailworkflowevent", "event_id", "event_id", "id"),
    "onboarding_segments": CheckedFeed(
        "reporting_pricingexperimentsegment", "event_id", "order_id", "eventId", "events"
    ),
    "guardrail_followups": CheckedFeed(
        "provider_guardrail_followup", "follow_up_id", "notes", "followUpId", "followUps"
    ),
}
