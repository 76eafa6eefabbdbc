"""Makers of what comes in: events as the storefront sends them, and what the recording takes. No database needed."""

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


def experiment(slug: str = "spring-offer", variant_key: str = "bundle", **changes: Any) -> dict[str, Any]:
    """An experiment as the recording takes it."""
    return {
        "slug": slug,
        "variant_key": variant_key,
        "variant_name": variant_key.title(),
        "is_control": variant_key == "control",
        "status": "running",
        "feature_flag_key": None,
        "assignment_strategy": None,
        **changes,
    }


def follow_up(**changes: Any) -> dict[str, Any]:
    """A follow-up as the recording takes it, with nothing but what it needs."""
    return {
        "provider_id": "provider-viralhub",
        "provider_name": None,
        "action": "pause",
        "notes": None,
        "platform_context_id": None,
        "platform_context_label": None,
        "platform_context_handle": None,
        "platform_context_type": None,
        "conversion_cursor": None,
        "conversion_href": None,
        **changes,
    }
