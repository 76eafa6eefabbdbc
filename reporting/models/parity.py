"""What was found when the warehouse was held against the desk."""

from typing import ClassVar

from django.db import models


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
