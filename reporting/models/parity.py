"""What was found when the warehouse was held against the desk."""

from typing import ClassVar

from django.db import connection, models
from django.db.models.functions import Now


class ParityCheck(models.Model):
    """One comparison of the warehouse with the desk, whole as it was found, so that a page need not ask again."""

    class State(models.TextChoices):
        EQUAL = "equal"
        DIFFERS = "differs"
        FAILED = "failed"

    at = models.DateTimeField()
    target = models.TextField(help_text="The warehouse, without a secret.")
    since = models.DateField(help_text="The first UTC day that was compared.")
    until = models.DateField(null=True, help_text="The last UTC day that was compared; empty for no last day.")
    state = models.TextField(choices=State)
    remainder = models.BigIntegerField(default=0, help_text="What the equations of the ledger leave over.")
    figures = models.JSONField(default=dict, help_text="What was found, by feed.")
    problem = models.TextField(blank=True)

    class Meta:
        indexes: ClassVar = [
            # The newest check, for the operator page; retention.
            models.Index(fields=["-at"], name="parity_checks_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.target} {self.at:%Y-%m-%d %H:%M}: {self.state}"


class RepairRequestQuerySet(models.QuerySet["RepairRequest"]):
    """Repairs that operators have asked for."""

    def take(self) -> list[str]:
        """The keys of the feeds that are to be repaired; whoever takes them is the only one."""
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {self.model._meta.db_table} RETURNING feed")  # noqa: S608 - a name of ours
            return sorted(row[0] for row in cursor)


class RepairRequest(models.Model):
    """A feed whose missing and changed rows are to be put on the stage."""

    feed = models.TextField(primary_key=True)
    requested_at = models.DateTimeField(db_default=Now())

    objects = RepairRequestQuerySet.as_manager()

    def __str__(self) -> str:
        return self.feed
