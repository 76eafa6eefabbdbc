"""Who is notified of findings: what was sent where, what is muted, and what a channel does not get."""

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from reporting.models.findings import Finding, kind_choices


class AlertMuteQuerySet(models.QuerySet["AlertMute"]):
    """Mutes by whether they hold."""

    def active(self, now: datetime) -> Self:
        """Mutes that hold at ``now``."""
        return self.filter(models.Q(until__isnull=True) | models.Q(until__gt=now), lifted_at__isnull=True)

    def of(self, finding: Finding) -> Self:
        """Mutes of what ``finding`` is about."""
        return self.filter(kind=finding.kind, feed=finding.feed)


class AlertMute(models.Model):
    """A kind of finding, of one feed or of the desk, of which nobody is notified for a while."""

    kind = models.TextField(choices=kind_choices)
    feed = models.TextField(blank=True, help_text="The feed's key; empty for what concerns the whole desk.")
    at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, help_text="Empty: until it is resolved.")
    reason = models.TextField(max_length=500)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    lifted_at = models.DateTimeField(null=True, help_text="When it ended before its time, or was resolved.")

    objects = AlertMuteQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.kind} {self.feed}".strip()


class AlertRule(models.Model):
    """What a channel is not notified of."""

    channel = models.TextField(max_length=200, help_text="The channel's name, as the page of alerts shows it.")
    kind = models.TextField(choices=kind_choices, blank=True, help_text="Empty: every kind.")
    feed = models.TextField(max_length=64, blank=True, help_text="The feed's key. Empty: every feed, and the desk.")

    class Meta:
        verbose_name = "alert exception"

    def __str__(self) -> str:
        return f"{self.channel}: not {self.kind or 'any kind'} of {self.feed or 'any feed'}"

    def is_about(self, finding: Finding) -> bool:
        """Whether ``finding`` is one of those that the channel does not get."""
        return self.kind in {"", finding.kind} and self.feed in {"", finding.feed}


class AlertDeliveryQuerySet(models.QuerySet["AlertDelivery"]):
    """Deliveries by what is to be done with them."""

    def due(self, now: datetime) -> Self:
        """Deliveries that may be attempted at ``now``, the one that waits longest first."""
        waiting = self.filter(state=AlertDelivery.State.WAITING, next_attempt_at__lte=now)
        return waiting.order_by("next_attempt_at", "id")

    def claim_next(self, now: datetime, lease: datetime) -> "AlertDelivery | None":
        """Claim the delivery that waits longest, until ``lease``; None when none is due."""
        while (delivery := self.due(now).select_related("finding").first()) is not None:
            if self.due(now).filter(pk=delivery.pk).update(next_attempt_at=lease):
                return delivery
        return None


class AlertDelivery(models.Model):
    """One notification to one channel, from the look that caused it until it was taken or given up."""

    class Event(models.TextChoices):
        BEGAN = "began"
        REMINDER = "reminder"
        ENDED = "ended"
        TEST = "test"

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        GIVEN_UP = "given_up", "given up"

    id = models.BigAutoField(primary_key=True)
    finding = models.ForeignKey(Finding, models.CASCADE, null=True, help_text="Empty for a test.")
    event = models.TextField(choices=Event)
    channel = models.TextField(help_text="The channel's name, without a secret.")
    at = models.DateTimeField(default=timezone.now)
    state = models.TextField(choices=State, default=State.WAITING)
    attempts = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True, help_text="What went wrong at the last attempt.")

    objects = AlertDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "alert deliveries"
        indexes: ClassVar = [
            # The deliverer: what waits, however much was sent before.
            models.Index(
                fields=["next_attempt_at", "id"], condition=models.Q(state="waiting"), name="alert_deliveries_waiting"
            ),
            # The page: the newest deliveries.
            models.Index(fields=["-at"], name="alert_deliveries_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.channel}"
