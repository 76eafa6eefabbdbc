"""The audit log: what operators did, and whom the sign-in has locked out."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Entries in order, and their making."""

    def log(self, user: User | None, action: "AuditEntry.Action", subject: str, /, **details: Any) -> "AuditEntry":
        """Note that ``user`` did something; an action that writes rows calls this in the same transaction.

        Args:
            user: the operator; None where strangers caused it.
            action: what was done.
            subject: to what: a feed's key, a run's id, a provider.
            details: what else tells the next reader what happened; values that JSON can hold.
        """
        name = user.get_username() if user else ""
        return self.create(user=user, username=name, action=action, subject=subject, details=details)

    def newest(self, count: int) -> Self:
        """The ``count`` newest entries, newest first."""
        return self.order_by("-id")[:count]


class AuditEntry(models.Model):
    """One thing that an operator did, never changed and never deleted; or a lock-out, which retention deletes."""

    class Action(models.TextChoices):
        START_RUN = "start_run", "Started a run"
        RETRY_RUN = "retry_run", "Retried a run"
        DOWNLOAD_OBJECT = "download_object", "Downloaded an object"
        DOWNLOAD_CSV = "download_csv", "Downloaded CSV"
        REWIND_CHECKPOINT = "rewind_checkpoint", "Rewound a checkpoint"
        UNDO_REWIND = "undo_rewind", "Undid a rewind"
        RECORD_FOLLOWUP = "record_followup", "Recorded a follow-up"
        ENABLE_DESTINATION = "enable_destination", "Enabled a destination"
        REPAIR_WAREHOUSE = "repair_warehouse", "Repaired the warehouse"
        PAUSE_FEED = "pause_feed", "Paused a feed"
        RESUME_FEED = "resume_feed", "Resumed a feed"
        MUTE_ALERTS = "mute_alerts", "Muted alerts"
        UNMUTE_ALERTS = "unmute_alerts", "Unmuted alerts"
        TEST_ALERTS = "test_alerts", "Sent test alerts"
        LOCK_OUT = "lock_out", "Locked out after failed sign-ins"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(default=timezone.now)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    username = models.TextField(help_text="The operator's name at the time; it outlives the account.")
    action = models.TextField(choices=Action)
    subject = models.TextField(help_text="The feed, run, provider, account or address that it was done to.")
    details = models.JSONField(default=dict)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [
            # The admin's searches for one operator and one subject.
            models.Index(fields=["username", "-id"], name="audit_by_user"),
            models.Index(fields=["subject", "-id"], name="audit_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.username} {self.action} {self.subject}"
