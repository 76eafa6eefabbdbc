"""Retention: prunes what is old, never what a window shows or what is not yet in the lake."""

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone

from reporting.accounting import ledger
from reporting.feeds import WINDOW_FEEDS
from reporting.feeds.shapes import model_of
from reporting.lake import storage
from reporting.models import (
    AlertDelivery,
    AuditEntry,
    AutomationRun,
    Checkpoint,
    ExportRun,
    Finding,
    ParityCheck,
    SlackMessage,
)

_BATCH = 1_000


def apply() -> int:
    """Delete expired telemetry and runs; return how many telemetry rows went.

    A row goes when it arrived more than ``TELEMETRY_RETENTION_DAYS`` ago, lies before its feed's window and is held
    by an object of the lake. A run goes when it is as old, unless it is the newest successful one of its feed; so do
    Slack messages, automation runs, checks of the warehouse, findings that have ended, and lock-outs of the sign-in.
    Sessions go when they have expired, and what killed writers left in the lake after a day.
    """
    received_before = timezone.now() - settings.TELEMETRY_RETENTION
    deleted = 0
    for feed in WINDOW_FEEDS:
        rows = model_of(feed).objects.all()
        window = rows.newest_positions(feed.window or 0)
        checkpoint = Checkpoint.objects.filter(pk=feed.key).first()
        if not window or checkpoint is None:
            continue
        after, before = 0, min(window[0], checkpoint.position + 1)
        # Each batch begins where the one before ended: from the first position on it would find what is deleted and
        # not yet vacuumed, again and again.
        while expired := rows.expired(after, before, received_before, _BATCH):  # type: ignore[attr-defined]
            deleted, after = deleted + ledger.expire(feed, expired), expired[-1]
    SlackMessage.objects.filter(created_at__lt=received_before).delete()
    AutomationRun.objects.filter(ran_at__lt=received_before).delete()
    ParityCheck.objects.filter(at__lt=received_before).delete()
    Finding.objects.filter(ended_at__lt=received_before).delete()
    AlertDelivery.objects.filter(finding=None, at__lt=received_before).delete()
    SessionStore.clear_expired()
    AuditEntry.objects.filter(action=AuditEntry.Action.LOCK_OUT, at__lt=received_before).delete()
    newest = ExportRun.objects.newest_success_of_each_feed(), ExportRun.objects.newest_artifact_of_each_feed()
    kept = {run.pk for runs in newest for run in runs}
    ExportRun.objects.filter(created_at__lt=received_before).exclude(pk__in=kept).delete()
    storage.sweep()
    return deleted
