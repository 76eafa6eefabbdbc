"""The history of the checkpoints."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from reporting.feeds import feed_choices
from reporting.models.runs import ExportRun
from smplat.lib.times import iso


class CheckpointMoveQuerySet(models.QuerySet["CheckpointMove"]):
    """Moves by feed."""

    def of(self, feed_key: str) -> Self:
        """Moves of one feed, newest first."""
        return self.filter(feed=feed_key).order_by("-id")


class CheckpointMove(models.Model):
    """One move of a feed's checkpoint, kept in the transaction that moved it.

    Of one feed, ids rise in the order of the moves, because the checkpoint's row is locked when an id is drawn.
    """

    class Reason(models.TextChoices):
        EXPORT = "export"
        REWIND = "rewind"
        UNDO = "undo"

    id = models.BigAutoField(primary_key=True)
    feed = models.TextField(choices=feed_choices)
    from_position = models.BigIntegerField(null=True, help_text="Empty for the first move of a feed.")
    from_cursor = models.DateTimeField(null=True)
    to_position = models.BigIntegerField()
    to_cursor = models.DateTimeField()
    run = models.ForeignKey(ExportRun, models.SET_NULL, null=True, blank=True, related_name="checkpoint_moves")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    reason = models.TextField(choices=Reason)
    at = models.DateTimeField(default=timezone.now)
    undoes = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="undone_by", help_text="The move it takes back."
    )

    objects = CheckpointMoveQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            # The history of a feed, newest first; which move is the newest.
            models.Index(fields=["feed", "-id"], name="checkpoint_moves_by_feed"),
        ]

    def __str__(self) -> str:
        start = "the beginning" if self.from_position is None else self.from_position
        return f"{self.feed} from {start} to {self.to_position}"


class Checkpoint(models.Model):
    """How far the exports of a feed have got; moved in one transaction with the run that moved it.

    ``position`` is the last position that an object holds: every row at or before it is in the lake.
    """

    feed = models.TextField(primary_key=True, choices=feed_choices)
    position = models.BigIntegerField()
    cursor = models.DateTimeField(help_text="Time of the last exported row.")
    rows = models.BigIntegerField(help_text="Rows of the run that moved the checkpoint.")
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        permissions: ClassVar = [("rewind_checkpoint", "Can rewind a checkpoint, and undo its moves")]

    def __str__(self) -> str:
        return f"{self.feed} at {self.position}"

    def as_json(self) -> dict[str, Any]:
        return {
            "cursor": iso(self.cursor),
            "position": self.position,
            "rows": self.rows,
            "updatedAt": iso(self.updated_at),
        }
