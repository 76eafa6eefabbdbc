"""The schedulers that run on this database: one, unless two desks were pointed at it by mistake."""

import uuid
from datetime import timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models.functions import Now

#: A scheduler that has not signed for so long has ended.
SILENT_AFTER = timedelta(seconds=30)


class BeatQuerySet(models.QuerySet["Beat"]):
    """Schedulers by their signs of life, by the database's clock."""

    def sign(self, beat: "Beat") -> None:
        """Note that ``beat`` runs now."""
        if not self.filter(pk=beat.pk).update(seen_at=Now()):
            beat.save(force_insert=True)

    def together(self) -> Self:
        """The schedulers that run beside each other, the oldest first: those seen since the newest one started."""
        alive = self.filter(seen_at__gt=Now() - SILENT_AFTER)
        newest = alive.order_by("-started_at").values("started_at")[:1]
        return alive.filter(seen_at__gte=models.Subquery(newest)).order_by("started_at", "id")


class Beat(models.Model):
    """A process that starts the jobs by their schedule, and the lake of its desk."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
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
