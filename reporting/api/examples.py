"""Examples for the OpenAPI document: one story, told by every endpoint.

Tests hold them against the schemas, and against what the endpoints answer.
"""

from typing import Any

ORDER_ID = "5d2f1a34-93c0-4b8e-8a6f-2f0f6b1f4c11"
_EVENT_ID = "8a3c1d52-7e0f-4a5b-9d57-1c2f6b0a7e94"
_FOLLOW_UP_ID = "c0a8012e-5f3d-4b7a-9e64-0d3b9a7f2e55"
_AT = "2026-01-22T04:00:00.123456Z"
CURSOR = f"{_AT}~{_EVENT_ID}"

EXPERIMENT: dict[str, Any] = {
    "slug": "spring-offer",
    "variantKey": "variant-b",
    "variantName": "Ten per cent off",
    "isControl": False,
    "assignmentStrategy": "sticky",
    "status": "running",
    "featureFlagKey": "pricing.spring-offer",
}
RECORDING: dict[str, Any] = {"experiments": [EXPERIMENT], "orderNumber": "SO-10482"}
RECORDED = {"status": "accepted", "eventIds": [_EVENT_ID]}
SEGMENT: dict[str, Any] = {
    "eventId": _EVENT_ID,
    "journeyId": "1f0e7c8a-2b4d-4c6e-8f90-a1b2c3d4e5f6",
    "orderId": ORDER_ID,
    "orderNumber": "SO-10482",
    **EXPERIMENT,
    "recordedAt": _AT,
}
SEGMENTS = {"events": [SEGMENT], "nextCursor": CURSOR}
CONVERSIONS = {
    "metrics": [
        {
            "slug": "spring-offer",
            "orderCount": 40,
            "journeyCount": 38,
            "lastActivity": _AT,
            "variants": [
                {
                    "variantKey": "variant-b",
                    "variantName": "Ten per cent off",
                    "isControl": False,
                    "orderCount": 40,
                    "journeyCount": 38,
                }
            ],
        }
    ],
    "cursor": None,
    "nextCursor": "spring-offer",
}

FOLLOW_UP: dict[str, Any] = {
    "providerId": "provider-viralhub",
    "providerName": "ViralHub",
    "action": "pause",
    "notes": "Delivery fell behind.",
    "platformContext": {
        "id": "instagram",
        "label": "Instagram DM Concierge",
        "handle": "@studio.nine",
        "platformType": "IG",
    },
    "conversionCursor": "spring-offer",
    "conversionHref": "https://shop.example/admin/reports?conversionCursor=spring-offer",
}
ENTRY: dict[str, Any] = {"id": _FOLLOW_UP_ID, "followUpId": _FOLLOW_UP_ID, **FOLLOW_UP, "createdAt": _AT}
STATUS = {
    "providerId": "provider-viralhub",
    "providerName": "ViralHub",
    "isPaused": True,
    "lastAction": "pause",
    "updatedAt": _AT,
    "lastFollowUpId": _FOLLOW_UP_ID,
}
FOLLOW_UP_RECORDED = {"entry": ENTRY, "status": STATUS, "providerTelemetry": None}
_ACTIVITY = {"totalActions": 3, "lastAction": "attachment.upload", "lastActionAt": _AT}
TIMELINE = {"entries": [ENTRY], "nextCursor": None, "status": STATUS, "providerTelemetry": _ACTIVITY}

SUMMARY: dict[str, Any] = {
    "totalEvents": 3,
    "lastCapturedAt": _AT,
    "actionCounts": [{"action": "attachment.upload", "count": 3, "lastOccurredAt": _AT}],
    "attachmentTotals": {"upload": 3, "remove": 0, "copy": 0, "tag": 0},
    "providerActivity": [{"providerId": "provider-viralhub", "providerName": "ViralHub", **_ACTIVITY}],
}
AUTOMATION = {
    "alerts": [
        {
            "ranAt": _AT,
            "summary": {"totalAlerts": 1, "critical": 1, "warning": 0, "providers": 4},
            "metadata": {
                "alertsDigest": [
                    {
                        "providerId": "provider-viralhub",
                        "providerName": "ViralHub",
                        "severity": "critical",
                        "guardrailStatus": "breached",
                        "platformSlug": "youtube",
                        "occurredAt": _AT,
                    }
                ],
                "workflowTelemetry": SUMMARY,
            },
        }
    ],
    "replay": [],
}

_GUARDRAIL = {"platformSlug": "youtube", "guardrailStatus": "breached"}
#: A row of each feed in wire shape.
ROWS: dict[str, dict[str, Any]] = {
    "quick_order": {
        "id": "0f8b7e0e-6a1c-4f53-9c55-7d1f1d4b2a10",
        "originalId": "0f8b7e0e-6a1c-4f53-9c55-7d1f1d4b2a10",
        "name": "quick_order.abort",
        "source": "storefront",
        "recordedAt": _AT,
        "sessionId": "qos_1ppgnt",
        "productId": "prod_ig_boost",
        "productTitle": "Instagram Momentum",
        "reason": "dismiss",
        "outcome": None,
        "guardrail": {"platformSlug": "instagram"},
        "metadata": {"providerOrders": 35, "reason": "dismiss"},
    },
    "guardrail_workflow": {
        "id": "b6b0cbb5-5f3c-5d0e-8d3f-8f0a4b1f6f0d",
        "originalId": "evt_1731052800000_a1b2c3",
        "name": "guardrail.workflow",
        "source": "admin",
        "recordedAt": _AT,
        "workflowAction": "attachment.upload",
        "providerId": "provider-viralhub",
        "providerName": "ViralHub",
        "guardrail": _GUARDRAIL,
        "metadata": {"attachmentName": "screen 1.jpg"},
    },
    "onboarding_segments": SEGMENT,
    "guardrail_followups": ENTRY,
}
