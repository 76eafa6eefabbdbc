"""Makers of what tests need: events as the storefront sends them."""

import uuid
from typing import Any


def quick_order_event(**changes: Any) -> dict[str, Any]:
    """A quick-order event in the storefront's spelling."""
    return {
        "id": str(uuid.uuid4()),
        "name": "quick_order.start",
        "source": "storefront",
        "recordedAt": "2026-11-08T08:04:48.397Z",
        "guardrail": {
            "platformSlug": "tiktok",
            "loyaltyTier": None,
            "experimentSlug": None,
            "experimentVariant": None,
            "guardrailStatus": None,
        },
        "metadata": {"platformType": "tiktok", "providerOrders": 35},
        "sessionId": "qos_1ppgnt",
        "productId": "prod_tt_boost",
        "productTitle": "TikTok Momentum",
        **changes,
    }


def workflow_event(**changes: Any) -> dict[str, Any]:
    """A guardrail workflow event in the storefront's spelling."""
    return {
        "id": str(uuid.uuid4()),
        "name": "guardrail.workflow",
        "source": "admin",
        "recordedAt": "2026-11-08T10:42:40.642Z",
        "guardrail": {"platformSlug": "youtube", "guardrailStatus": "breached"},
        "metadata": {"attachmentName": "screen 1.jpg", "attachmentSize": 940884},
        "workflowAction": "attachment.upload",
        "providerId": "provider-viralhub",
        "providerName": "ViralHub",
        **changes,
    }
