"""The capture routes, as storefronts use them."""

import json

import pytest
from rest_framework.test import APIClient

from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent
from tests.factories import quick_order_event, workflow_event

GENERAL, QUICK_ORDER = "/api/telemetry", "/api/telemetry/quick-order"


def post(client: APIClient, body, route: str = GENERAL, content_type: str = "application/json"):
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return client.generic("POST", route, content, content_type=content_type)


@pytest.mark.django_db
class TestOneEvent:
    def test_it_is_stored_with_the_reference_columns(self, stranger):
        event = quick_order_event(name="quick_order.abort", reason="dismiss")

        answer = post(stranger, event)

        assert answer.status_code == 202
        assert answer.json() == {"accepted": 1, "duplicates": 0, "ignored": 0, "rejected": []}
        row = QuickOrderEvent.objects.get()
        assert str(row.event_id) == event["id"]
        assert (row.session_id, row.event_name) == ("qos_1ppgnt", "quick_order.abort")
        assert (row.product_id, row.product_title, row.platform_context) == (
            "prod_tt_boost",
            "TikTok Momentum",
            "tiktok",
        )
        assert row.recorded_at.isoformat() == "2026-11-08T08:04:48.397000+00:00"
        assert row.metadata == {**event["metadata"], "reason": "dismiss"}
        assert row.event == event

    def test_a_workflow_event_keeps_what_its_guardrail_says(self, stranger):
        post(stranger, workflow_event())

        row = GuardrailWorkflowEvent.objects.get()
        assert (row.workflow_action, row.guardrail_platform_slug, row.guardrail_status) == (
            "attachment.upload",
            "youtube",
            "breached",
        )
        assert (row.provider_id, row.provider_name, row.source) == ("provider-viralhub", "ViralHub", "admin")
