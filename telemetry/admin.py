"""Telemetry in Django's admin: evidence, so it can be read and not changed."""

from typing import ClassVar

from django.contrib import admin

from smplat.lib.admin import EvidenceAdmin
from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent


@admin.register(QuickOrderEvent)
class QuickOrderEventAdmin(EvidenceAdmin):
    """Quick-order events, found by their exact id."""

    list_display: ClassVar = [
        "event_id",
        "event_name",
        "product_title",
        "platform_context",
        "recorded_at",
        "received_at",
    ]
    search_fields: ClassVar = ["event_id"]


@admin.register(GuardrailWorkflowEvent)
class GuardrailWorkflowEventAdmin(EvidenceAdmin):
    """Workflow events, found by their exact id."""

    list_display: ClassVar = ["event_id", "workflow_action", "provider_name", "guardrail_status", "recorded_at"]
    search_fields: ClassVar = ["event_id"]
