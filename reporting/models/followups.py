"""Guardrail follow-ups of operators, and the state in which they leave a provider."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import Func, Value

from smplat.lib.feed_models import FeedModel


class GuardrailFollowUp(FeedModel):
    """What an operator did about a provider whose guardrails were touched."""

    class Action(models.TextChoices):
        PAUSE = "pause"
        RESUME = "resume"
        ESCALATE = "escalate"

    follow_up_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider_id = models.TextField(max_length=200)
    provider_name = models.TextField(null=True, max_length=500)
    action = models.TextField(choices=Action, max_length=16)
    notes = models.TextField(null=True, max_length=500)
    platform_context_id = models.TextField(null=True, max_length=200)
    platform_context_label = models.TextField(null=True, max_length=200)
    platform_context_handle = models.TextField(null=True, max_length=200)
    platform_context_type = models.TextField(null=True, max_length=200)
    conversion_cursor = models.TextField(null=True, max_length=500)
    conversion_href = models.TextField(null=True, max_length=8_000)
    attachments = models.JSONField(null=True, help_text="What the client sent with it, as it was sent.")
    created_at = models.DateTimeField()
    position = models.BigIntegerField(
        unique=True,
        editable=False,
        db_default=Func(Value("provider_guardrail_followup_position"), function="nextval"),
    )

    class Meta:
        db_table = "provider_guardrail_followup"
        indexes: ClassVar = [
            # The timeline of all providers, in both orders.
            models.Index(fields=["created_at", "follow_up_id"], name="followups_by_time"),
            # The timeline of one provider, in both orders.
            models.Index(fields=["provider_id", "created_at", "follow_up_id"], name="followups_by_provider"),
            # The queue of one platform.
            models.Index(fields=["platform_context_id", "created_at", "follow_up_id"], name="followups_by_platform"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.provider_id}"


class ProviderGuardrailStatus(models.Model):
    """The state in which the newest follow-up left a provider."""

    provider_id = models.TextField(primary_key=True, max_length=200)
    provider_name = models.TextField(null=True, max_length=500)
    is_paused = models.BooleanField(default=False)
    last_action = models.TextField(null=True, max_length=16)
    updated_at = models.DateTimeField(null=True)
    last_follow_up_id = models.UUIDField(null=True)

    class Meta:
        verbose_name_plural = "provider guardrail statuses"
        indexes: ClassVar = [
            # How many providers are paused, on the first page.
            models.Index(fields=["provider_id"], condition=models.Q(is_paused=True), name="paused_providers"),
        ]

    def __str__(self) -> str:
        return self.provider_name or self.provider_id


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    """Keys by age."""

    def expired(self, now: datetime) -> Self:
        """Keys that no longer hold."""
        return self.filter(created_at__lte=now - IdempotencyKey.LIFETIME)

    def prune(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` expired keys that no other transaction holds; return how many."""
        oldest = self.expired(now).order_by("created_at").select_for_update(skip_locked=True)[:limit]
        return self.filter(pk__in=oldest.values("pk")).delete()[0]


class IdempotencyKey(models.Model):
    """The answer to a request that carried an ``Idempotency-Key``, kept for 24 hours."""

    LIFETIME = timedelta(hours=24)

    key = models.TextField(primary_key=True, max_length=200)
    fingerprint = models.TextField(help_text="SHA-256 of the body that the key came with.")
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField(db_index=True)

    objects = IdempotencyKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return self.key
