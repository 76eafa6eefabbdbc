"""Webhook destinations, as far as something is to be remembered of them."""

from typing import Self

from django.db import models
from django.utils import timezone


class WebhookDestinationQuerySet(models.QuerySet["WebhookDestination"]):
    """Destinations by whether messages may go to them."""

    def disabled(self) -> Self:
        """Destinations that want no message."""
        return self.filter(disabled_at__isnull=False)

    def disable(self, name: str, reason: str) -> None:
        """Send nothing more to the destination ``name``, because of ``reason``, until it is enabled."""
        self.update_or_create(name=name, defaults={"disabled_at": timezone.now(), "reason": reason})

    def enable(self) -> int:
        """Let messages go to these destinations again; return how many were disabled."""
        return self.disabled().update(disabled_at=None, reason="")


class WebhookDestination(models.Model):
    """A receiver that answered 410 at some time; the URL is a secret and stays out of the database."""

    name = models.TextField(primary_key=True, max_length=200, help_text="The setting or flag that holds the URL.")
    disabled_at = models.DateTimeField(null=True, help_text="Since when nothing is sent; empty while it is enabled.")
    reason = models.TextField(blank=True, help_text="What the receiver answered.")

    objects = WebhookDestinationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name
