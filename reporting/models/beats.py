"""The processes that keep the desk going, by their signs of life."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models.functions import Now

#: A process that has not signed for so long has ended.
SILENT_AFTER = timedelta(seconds=30)
#: A role in which nobody has signed for so long has nobody.
ABSENT_AFTER = timedelta(minutes=1)


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

    def alive_since(self, age: timedelta) -> Self:
        """Processes that are alive, and have been for ``age`` at least."""
        return self.filter(seen_at__gt=Now() - ABSENT_AFTER, started_at__lt=Now() - age)

    def missing(self) -> dict["Beat.Role", datetime | None]:
        """The roles that no living process has, and when one was last seen in each; None where none ever was.

        None is missing while the longest of the living runs for less than a minute: the others are on their way.
        """
        alive = models.Q(seen_at__gt=Now() - ABSENT_AFTER)
        settled = alive & models.Q(started_at__lt=Now() - ABSENT_AFTER)
        seen = (
            self.order_by()
            .values_list("role")
            .annotate(
                at=models.Max("seen_at"),
                living=models.Count("pk", filter=alive),
                old=models.Count("pk", filter=settled),
            )
        )
        found = {role: (at, living, old) for role, at, living, old in seen}
        living = {role for role, (_, count, _) in found.items() if count}
        if living and not any(old for _, _, old in found.values()):
            return {}
        return {role: found[role][0] if role in found else None for role in Beat.Role if role not in living}


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
