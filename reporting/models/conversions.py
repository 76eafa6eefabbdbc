"""Running totals of the conversions, so that reading them does not read every assignment again."""

from typing import ClassVar

from django.db import models


class ConversionCounts(models.Model):
    """What one experiment, or one of its variants, has reached up to a position."""

    slug = models.TextField(max_length=255)
    variant_key = models.TextField(null=True, max_length=255, help_text="Empty for the experiment as a whole.")
    order_count = models.BigIntegerField()
    journey_count = models.BigIntegerField()
    last_activity = models.DateTimeField()
    last_event_id = models.UUIDField(help_text="The newest assignment, which gives name and cohort.")
    variant_name = models.TextField(null=True, max_length=255)
    is_control = models.BooleanField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.slug} {self.variant_key or ''}".strip()


class ConversionTotal(ConversionCounts):
    """The counts up to the position of the fold."""

    class Meta:
        constraints: ClassVar = [
            # Also the index that pages of slugs are read by.
            models.UniqueConstraint(fields=["slug", "variant_key"], name="one_total_per_variant", nulls_distinct=False)
        ]


class ConversionSnapshot(ConversionCounts):
    """The totals as they were at a position, so that counting up to a later one reads few assignments."""

    position = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            # Also the index that the newest snapshot up to a position, and pages of its slugs, are read by.
            models.UniqueConstraint(
                fields=["position", "slug", "variant_key"], name="one_snapshot_per_variant", nulls_distinct=False
            )
        ]


class ConversionFold(models.Model):
    """How far the totals reach: one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    position = models.BigIntegerField(default=0, help_text="The last position that the totals count.")

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="one_conversion_fold")]

    def __str__(self) -> str:
        return f"up to position {self.position}"
