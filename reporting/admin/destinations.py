"""Webhook destinations in Django's admin: what was disabled by a 410, and the way back."""

from typing import ClassVar, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from reporting.models import AuditEntry, WebhookDestination
from smplat.lib.admin import EvidenceAdmin
from smplat.lib.queueing import queue_task


class WebhookDestinationAdmin(EvidenceAdmin):
    """Destinations that were ever disabled; nothing about them can be edited, but they can be enabled."""

    list_display: ClassVar = ["name", "disabled_at", "reason"]
    ordering: ClassVar = ["name"]
    actions: ClassVar = ["enable"]

    @admin.action(description="Enable: send messages again", permissions=["enable"])
    def enable(self, request: HttpRequest, queryset: QuerySet[WebhookDestination]) -> None:
        """Let messages go to the chosen destinations again, and keep in their history who said so."""
        user = cast(User, request.user)
        with transaction.atomic():
            chosen = list(WebhookDestination.objects.disabled().filter(pk__in=queryset.values("pk")))
            WebhookDestination.objects.filter(pk__in=[destination.pk for destination in chosen]).enable()
            for destination in chosen:
                self.log_change(request, destination, "Enabled.")
                AuditEntry.objects.log(user, AuditEntry.Action.ENABLE_DESTINATION, destination.name)
        queue_task("reporting.look_at_health")
        self.message_user(request, f"{len(chosen)} enabled. The next run sends to them again.")

    def has_enable_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("reporting.change_webhookdestination")
