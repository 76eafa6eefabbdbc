"""The conservation ledger: how many rows a feed holds, and how many retention has pruned."""

from typing import ClassVar

from django.db import models


class RowTotal(models.Model):
    """How many rows of a feed there are up to a position after which alone new ones appear.

    The fold moves the position and adds what it passes; retention takes off what it prunes, in its own transaction.
    """

    feed = models.TextField(primary_key=True)
    position = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    # The database's default is for a version of the desk that does not know the column yet.
    days_position = models.BigIntegerField(
        default=0, db_default=0, help_text="The last position that the totals by day count."
    )

    def __str__(self) -> str:
        return f"{self.feed}: {self.rows} up to position {self.position}"


class DayTotal(models.Model):
    """How many rows of one name a feed has on one UTC day, up to a position after which alone new ones appear."""

    feed = models.TextField()
    name = models.TextField(help_text="The name of an event, or the slug of an experiment.")
    day = models.DateField(help_text="The UTC day of the rows' time column.")
    rows = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            # Also the index that the days of some names are read by.
            models.UniqueConstraint(fields=["feed", "name", "day"], name="one_total_per_day")
        ]

    def __str__(self) -> str:
        return f"{self.feed} {self.name} {self.day}: {self.rows}"


class ExpiredDay(models.Model):
    """The rows of one UTC day that retention has pruned, which the warehouse goes on to hold."""

    feed = models.TextField()
    day = models.DateField(help_text="The UTC day of the rows' time column.")
    rows = models.BigIntegerField()
    id_sum = models.DecimalField(max_digits=38, decimal_places=0)
    content_sum = models.DecimalField(max_digits=38, decimal_places=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["feed", "day"], name="one_expired_day")]

    def __str__(self) -> str:
        return f"{self.feed} {self.day}: {self.rows}"
