"""Telemetry in Django's admin: evidence, so it can be read and not changed."""

from typing import ClassVar

from django.contrib import admin
from django.http import HttpRequest

from smplat.lib.admin import EvidenceAdmin
from telemetry.models import kinds


@admin.register(*kinds())
class TelemetryAdmin(EvidenceAdmin):
    """Events of one feed, found by their exact id."""

    search_fields: ClassVar = ["event_id"]

    def get_list_display(self, request: HttpRequest) -> list[str]:
        """The columns that the model declares, between the event's id and its times."""
        return ["event_id", *self.model.listed, "recorded_at", "received_at"]
