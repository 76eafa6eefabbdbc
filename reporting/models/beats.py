"""The processes that keep the desk going, by their signs of life."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models.functions import Now

#: A process that has not signed for so long has ended.
SILENT_AFTER = timedelta(seconds=30)


class BeatQuerySet(models.QuerySet["Beat"]):
    """Processes by their signs of life, by the database's clock."""

    def sign(self, beat: "Beat") -> None:
        """Note that ``beat`` runs now."""
        if not self.filter(pk=beat.pk).update(seen_at=Now()):
            beat.save(force_insert=True)

    def together(self) -> Self:
        """The schedulers that run beside each other, the oldest first: those seen since the newest one started."""
        alive = self.filter(role=Beat.Role.SCHEDULER, seen_at__gt=Now() - SILENT_AFTER)
        newest = alive.order_by("-started_at").values("started_at")[:1]
        return alive.filter(seen_at__gte=models.Subquery(newest)).order_by("started_at", "id")

    def last_seen(self) -> dict[str, tuple[datetime, bool]]:
        """When a process of each role was last seen, and whether one is alive; without roles that nobody has had."""
        seen = self.order_by().values_list("role").annotate(at=models.Max("seen_at"))
        alive = models.ExpressionWrapper(models.Q(at__gt=Now() - 2 * SILENT_AFTER), output_field=models.BooleanField())
        return {role: (at, is_alive) for role, at, is_alive in seen.annotate(is_alive=alive)}


class Beat(models.Model):
    """A process of a desk, and the lake that the desk writes to."""

    class Role(models.TextChoices):
        """What a process does; a worker's role is the queue that it takes tasks from."""

        SCHEDULER = "scheduler", "scheduler"
        WORKER = "celery", "worker"
        MESSENGER = "optional", "worker for messages"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The database's default is for a scheduler of a version that does not know the column yet.
    role = models.TextField(choices=Role, default=Role.SCHEDULER, db_default=Role.SCHEDULER)
    host = models.TextField()
    process = models.IntegerField(help_text="Its number on the host.")
    lake = models.TextField(help_text="Where the desk writes; a folder with the host that it is on.")
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())

    objects = BeatQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["seen_at"], name="beats_by_sign")]

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"
