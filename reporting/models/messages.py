"""The outbox of Slack, and what is known about each of Slack's channels."""

from collections.abc import Collection
from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from reporting.feeds import FEEDS

#: The settings with the webhooks of what is no feed's.
FOLLOW_UPS, AUTOMATION = "GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK", "PROVIDER_AUTOMATION_SLACK_WEBHOOK"


def slack_settings() -> list[tuple[str, str]]:
    """The settings with a webhook of Slack's, as choices; as a function, it leaves them out of the migrations."""
    return [(name, name) for name in (FOLLOW_UPS, AUTOMATION, *(feed.slack_setting for feed in FEEDS.values()))]


class SlackMessageQuerySet(models.QuerySet["SlackMessage"]):
    """Messages by what is to be done with them."""

    def due(self, webhooks: Collection[str], now: datetime) -> Self:
        """Messages to ``webhooks`` that may be posted at ``now``, the one that waits longest first."""
        waiting = self.filter(state=SlackMessage.State.WAITING, webhook__in=webhooks)
        return waiting.filter(next_attempt_at__lte=now).order_by("next_attempt_at", "id")

    def claim_next(self, webhooks: Collection[str], now: datetime, lease: datetime) -> "SlackMessage | None":
        """Claim the message that waits longest, until ``lease``; None when none is due, or another worker is faster."""
        message = self.due(webhooks, now).first()
        if message is None or not self.due(webhooks, now).filter(pk=message.pk).update(next_attempt_at=lease):
            return None
        message.next_attempt_at = lease
        return message

    def claimed(self, message: "SlackMessage") -> Self:
        """``message``, unless its claim has passed to another worker."""
        return self.filter(pk=message.pk, state=SlackMessage.State.WAITING, next_attempt_at=message.next_attempt_at)

    def give_up(self, created_before: datetime, problem: str) -> int:
        """Give up waiting messages that are older; return how many those were."""
        waiting = self.filter(state=SlackMessage.State.WAITING, created_at__lte=created_before)
        return waiting.update(state=SlackMessage.State.GIVEN_UP, problem=problem)


class SlackMessage(models.Model):
    """One message to Slack, from the transaction that it tells of until Slack took it."""

    class State(models.TextChoices):
        """The states of a message; the last two are final."""

        WAITING = "waiting"
        SENT = "sent"
        GIVEN_UP = "given_up"

    id = models.BigAutoField(primary_key=True)
    dedupe_key = models.TextField(unique=True, max_length=200, help_text="What the message tells of, once.")
    webhook = models.TextField(
        choices=slack_settings, max_length=64, help_text="The setting with the webhook's URL, which is a secret."
    )
    text = models.TextField()
    state = models.TextField(choices=State, default=State.WAITING, max_length=16)
    created_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    attempts = models.IntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True, help_text="What went wrong at the last attempt.")

    objects = SlackMessageQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            # The deliverer: the message that waits longest, however many were sent before.
            models.Index(
                fields=["next_attempt_at", "id"], condition=models.Q(state="waiting"), name="slack_messages_waiting"
            ),
        ]

    def __str__(self) -> str:
        return self.dedupe_key


class SlackChannelQuerySet(models.QuerySet["SlackChannel"]):
    """Channels by what may be done with them."""

    def open_at(self, now: datetime) -> Self:
        """Channels to which a message may be posted at ``now``."""
        return self.filter(opens_at__lte=now)

    def claim(self, fingerprint: str, now: datetime, lease: datetime) -> bool:
        """Close a channel to other workers until ``lease``; return whether it was open."""
        return self.open_at(now).filter(pk=fingerprint).update(opens_at=lease) == 1

    def claimed(self, fingerprint: str, lease: datetime) -> Self:
        """The channel, unless its claim has passed to another worker."""
        return self.filter(pk=fingerprint, opens_at=lease)


class SlackChannel(models.Model):
    """When the next message may go to a webhook, whatever the settings that name it."""

    fingerprint = models.TextField(primary_key=True, max_length=64, help_text="SHA-256 of the webhook's URL.")
    opens_at = models.DateTimeField(default=timezone.now)
    failures = models.IntegerField(default=0, help_text="Failed attempts since Slack last took a message.")

    objects = SlackChannelQuerySet.as_manager()

    def __str__(self) -> str:
        return self.fingerprint[:12]
