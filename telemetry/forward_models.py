"""The backlog of bodies that go on to ``TELEMETRY_ENDPOINT``, and what is known of the endpoint."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import connection, models
from django.db.models.functions import Mod, Now

#: So many bodies wait at most; a newer one takes the place of the oldest.
MAX_FORWARDS = 10_000
#: So many bytes of bodies wait at most, give or take what comes between two looks.
MAX_FORWARD_BYTES = 256 * 1_048_576
_LOOK_EVERY = 100
# Ids count up, so whoever has the place of a new one is as many bodies older as there are places.
_PUT = """
    INSERT INTO telemetry_forward (content, content_type, attempts) VALUES (%s, %s, 0)
    ON CONFLICT (place) DO UPDATE SET id = EXCLUDED.id, content = EXCLUDED.content,
        content_type = EXCLUDED.content_type, attempts = 0, created_at = now(), next_attempt_at = now()
    RETURNING id, xmax <> 0
"""
_DROP_OLDEST = """
    DELETE FROM telemetry_forward WHERE id IN (
        SELECT id FROM (SELECT id, sum(octet_length(content)) OVER (ORDER BY id DESC) AS bytes FROM telemetry_forward)
        AS forwards WHERE bytes > %s
    )
"""


class ForwardQuerySet(models.QuerySet["Forward"]):
    """Bodies by what is to be done with them."""

    def put(self, content: bytes, content_type: str) -> int:
        """Add a body; return how many of the oldest had to go for it."""
        with connection.cursor() as cursor:
            cursor.execute(_PUT, [content, content_type])
            number, has_replaced = cursor.fetchone()
            if number % _LOOK_EVERY:
                return int(has_replaced)
            cursor.execute(_DROP_OLDEST, [MAX_FORWARD_BYTES])
            return int(has_replaced) + int(cursor.rowcount)

    def due(self, now: datetime) -> Self:
        """Bodies that may be sent at ``now``, the one that waits longest first."""
        return self.filter(next_attempt_at__lte=now).order_by("next_attempt_at", "id")


class Forward(models.Model):
    """A captured body that is still to be forwarded."""

    id = models.BigAutoField(primary_key=True)
    place = models.GeneratedField(
        expression=Mod("id", MAX_FORWARDS), output_field=models.IntegerField(), db_persist=True, unique=True
    )
    content = models.BinaryField()
    content_type = models.TextField()
    attempts = models.IntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    next_attempt_at = models.DateTimeField(db_default=Now())

    objects = ForwardQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["next_attempt_at", "id"], name="forwards_by_next_attempt")]

    def __str__(self) -> str:
        return f"body {self.pk}"


class ForwardBreaker(models.Model):
    """When the endpoint may be asked again: a circuit breaker, in the one row of its table."""

    asked_from = models.DateTimeField(db_default=Now(), help_text="Nobody asks before; one who asks moves it.")
    failures = models.IntegerField(default=0, help_text="Rounds that failed since one last did not.")

    def __str__(self) -> str:
        return f"asked from {self.asked_from:%H:%M:%S} on, {self.failures} failures"
