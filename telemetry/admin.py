"""Telemetry in Django's admin: evidence, so it can be read and not changed."""

import uuid
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent


class EvidenceAdmin(ModelAdmin):
    """Shows rows and lets nobody add, change or delete one."""

    show_full_result_count = False
    list_per_page = 50

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find a row by its exact id, by index; any other term finds nothing."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(event_id=uuid.UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse."""
        return False


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
