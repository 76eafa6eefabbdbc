"""Export runs and how far they got."""

import uuid
from datetime import timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.db import DatabaseError, models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from reporting.feeds import FEEDS, Feed, feed_choices

# A run that was skipped because another one held the feed has never started, and says nothing of the feed.
_IS_SOUND = models.Q(state="succeeded") | models.Q(state="skipped", started_at__isnull=False)


class ExportRunQuerySet(models.QuerySet["ExportRun"]):
    """Runs by feed and state."""

    def of(self, feed_key: str) -> Self:
        """Runs of one feed, newest first."""
        return self.filter(feed=feed_key).order_by("-created_at")

    def open(self) -> Self:
        """Runs that have not ended."""
        return self.filter(state__in=[ExportRun.State.QUEUED, ExportRun.State.RUNNING])

    def newest_of_each_feed(self) -> Self:
        """The newest run of each feed that was not skipped."""
        return self._newest_each(~models.Q(state=ExportRun.State.SKIPPED))

    def newest_success_of_each_feed(self) -> Self:
        """The newest run of each feed that succeeded."""
        return self._newest_each(models.Q(state=ExportRun.State.SUCCEEDED))

    def newest_artifact_of_each_feed(self) -> Self:
        """The newest run of each feed that succeeded and made an object."""
        return self._newest_each(models.Q(state=ExportRun.State.SUCCEEDED) & ~models.Q(object_uri=""))

    def newest_sound_of_each_feed(self) -> Self:
        """The newest run of each feed that left nothing to be exported: it succeeded, or there was nothing."""
        return self._newest_each(_IS_SOUND)

    def newest_outcome_of_each_feed(self) -> Self:
        """The newest run of each feed that ended and says how the feed stands: it is sound, or it failed."""
        return self._newest_each(_IS_SOUND | models.Q(state=ExportRun.State.FAILED))

    def _newest_each(self, condition: models.Q) -> Self:
        """The newest run of each feed that meets ``condition``, found from the end of an index for each."""
        newest = [self.of(feed).filter(condition).values("pk")[:1] for feed in FEEDS]
        return self.filter(pk__in=newest[0].union(*newest[1:], all=True))


class ExportRun(models.Model):
    """One run of one export job, from request to end."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        SKIPPED = "skipped"

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule"
        OPERATOR = "operator"
        COMMAND = "command"

    #: A queued run that no worker takes for this long is given up.
    QUEUE_TIMEOUT = timedelta(minutes=15)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    feed = models.TextField(choices=feed_choices)
    trigger = models.TextField(choices=Trigger)
    state = models.TextField(choices=State, default=State.QUEUED)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    rows = models.BigIntegerField(null=True)
    bytes = models.BigIntegerField(null=True)
    expected_rows = models.BigIntegerField(null=True, help_text="How many rows the run found to export.")
    delivered_rows = models.BigIntegerField(null=True, help_text="How many of them are done, while the run goes on.")
    checkpoint_before = models.JSONField(null=True)
    checkpoint_after = models.JSONField(null=True)
    object_uri = models.TextField(blank=True)
    status = models.JSONField(null=True, help_text="The status JSON that the run wrote.")
    live_metrics = models.JSONField(
        null=True, help_text="The metrics of the same events as the database counts them, to hold the status against."
    )
    error = models.TextField(blank=True)

    objects = ExportRunQuerySet.as_manager()

    _CLOSING_FIELDS = (
        *("state", "error", "finished_at", "rows", "bytes", "object_uri", "status", "live_metrics"),
        *("checkpoint_before", "checkpoint_after"),
    )

    class Meta:
        permissions: ClassVar = [
            ("export_data", "Can download exports and CSV files"),
            ("start_exportrun", "Can start an export"),
        ]
        constraints: ClassVar = [
            # One run per feed at a time, whatever process asks for it.
            models.UniqueConstraint(
                fields=["feed"], condition=models.Q(state="running"), name="one_running_export_per_feed"
            )
        ]
        indexes: ClassVar = [
            # The cards of the operator page: the newest run of each feed.
            models.Index(fields=["feed", "-created_at"], name="export_runs_by_feed"),
            # The cards, the downloads: the newest successful run of each feed.
            models.Index(
                fields=["feed", "-created_at"], condition=models.Q(state="succeeded"), name="export_runs_succeeded"
            ),
            # The history of runs by state and by trigger, newest first.
            models.Index(fields=["state", "-created_at"], name="export_runs_by_state"),
            models.Index(fields=["trigger", "-created_at"], name="export_runs_by_trigger"),
            # The list of runs; retention.
            models.Index(fields=["-created_at"], name="export_runs_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.feed} {self.id}"

    def get_absolute_url(self) -> str:
        return reverse("pages:run", args=[self.pk])

    @property
    def absolute_url(self) -> str:
        """The address of the run's page, for people outside of it."""
        return f"{settings.PUBLIC_BASE_URL}{self.get_absolute_url()}"

    @property
    def definition(self) -> Feed:
        """The declaration of the run's feed."""
        return FEEDS[self.feed]

    @property
    def duration(self) -> timedelta | None:
        """From start to end; None for a run that has not both."""
        return self.finished_at - self.started_at if self.started_at and self.finished_at else None

    @property
    def is_final(self) -> bool:
        return self.state in {self.State.SUCCEEDED, self.State.FAILED, self.State.SKIPPED}

    def close(self, state: State, error: str) -> None:
        """End the run, unless someone else has; a run that was closed as crashed cannot succeed any more.

        Args:
            state: the final state.
            error: what went wrong, as a sentence; empty for a success.

        Raises:
            DatabaseError: it should succeed, and another process has closed it.
        """
        self.state, self.error, self.finished_at = state, error, timezone.now()
        changes = {name: getattr(self, name) for name in self._CLOSING_FIELDS}
        if ExportRun.objects.open().filter(pk=self.pk).update(**changes) != 1 and state == self.State.SUCCEEDED:
            raise DatabaseError("the run was closed by another process, which found this one's database session gone")
        self.log(error or f"Succeeded; the checkpoint stands at position {(self.checkpoint_after or {})['position']}.")

    def log(self, message: str) -> None:
        """Add a line to the run's log, at once, so that it survives whatever happens next."""
        RunLogLine.objects.create(run=self, message=message)


class RunLogLine(models.Model):
    """One line of a run's log."""

    run = models.ForeignKey(ExportRun, models.CASCADE, related_name="log_lines")
    at = models.DateTimeField(default=timezone.now)
    message = models.TextField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.message
