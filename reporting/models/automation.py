"""Runs of the provider automation alert worker."""

import uuid
from typing import ClassVar, Self

from django.db import models


class AutomationRunQuerySet(models.QuerySet["AutomationRun"]):
    """Runs in order."""

    def newest(self, count: int) -> Self:
        """The ``count`` newest runs, newest first."""
        return self.order_by("-ran_at", "-id")[:count]


class AutomationRun(models.Model):
    """What one run of the worker saw."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    ran_at = models.DateTimeField()
    summary = models.JSONField(help_text="How many alerts there were.")
    metadata = models.JSONField(help_text="The alerts, and the workflow summary that was read.")

    objects = AutomationRunQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            # The history endpoint: the newest runs.
            models.Index(fields=["-ran_at", "-id"], name="automation_runs_by_time"),
        ]

    def __str__(self) -> str:
        return str(self.id)
