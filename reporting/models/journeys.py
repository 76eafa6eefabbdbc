"""Onboarding journeys, their events, and the flat mirror of the pricing-experiment ones."""

import uuid
from typing import ClassVar, Self

from django.db import models
from django.db.models import Func, Value
from django.db.models.expressions import RawSQL
from django.utils import timezone

from smplat.lib.feed_models import FeedModel


class OnboardingJourneyQuerySet(models.QuerySet["OnboardingJourney"]):
    """Journeys by order."""

    def numbered_like(self, part: str) -> Self:
        """Journeys whose order number holds ``part``, of three characters or more, in any case; the newest first.

        An index finds the numbers that have all of the part's triples of characters.
        """
        triples = "order_number_triples(order_number) @> order_number_triples(%s)"
        has_triples = RawSQL(triples, [part], output_field=models.BooleanField())
        numbered = self.filter(has_triples, order_number__isnull=False, order_number__icontains=part)
        return numbered.order_by("-created_at", "-id")

    def locked(self, order_id: uuid.UUID) -> "OnboardingJourney":
        """The journey of an order, made on first sight, held by this transaction until it ends."""
        # Of several first requests for one order one inserts; the others wait for it and then find its row.
        self.bulk_create([self.model(order_id=order_id)], ignore_conflicts=True)
        # Rows that refer to the journey lock its key, which this lock leaves alone.
        return self.select_for_update(no_key=True).get(order_id=order_id)


class OnboardingJourney(models.Model):
    """The way of one order through onboarding."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order_id = models.UUIDField(unique=True)
    order_number = models.TextField(null=True, blank=True, max_length=100)
    created_at = models.DateTimeField(default=timezone.now)

    objects = OnboardingJourneyQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            # The admin's list, newest first.
            models.Index(fields=["created_at", "id"], name="journeys_by_time"),
        ]

    def __str__(self) -> str:
        return self.order_number or str(self.order_id)


class OnboardingJourneyEvent(models.Model):
    """One thing that happened on a journey."""

    PRICING_EXPERIMENT_SEGMENT = "pricing_experiment_segment"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    journey = models.ForeignKey(OnboardingJourney, models.PROTECT, related_name="events")
    order_id = models.UUIDField()
    event_type = models.TextField(max_length=100)
    metadata = models.JSONField(default=dict)
    occurred_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "onboarding_journey_events"
        indexes: ClassVar = [
            # The admin's list, newest first.
            models.Index(fields=["occurred_at", "id"], name="journey_events_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.id}"


class PricingExperimentSegment(FeedModel):
    """An order's assignment to a variant of a pricing experiment; mirrors a journey event, whose id it carries."""

    event_id = models.UUIDField(primary_key=True, editable=False)
    journey_id = models.UUIDField()
    order_id = models.UUIDField()
    order_number = models.TextField(null=True, max_length=100)
    slug = models.TextField(max_length=255)
    variant_key = models.TextField(max_length=255)
    # Rows of earlier versions have up to 500 characters; no more than 255 are recorded.
    variant_name = models.TextField(null=True, max_length=500)
    is_control = models.BooleanField(null=True)
    status = models.TextField(null=True, max_length=255)
    feature_flag_key = models.TextField(null=True, max_length=255)
    assignment_strategy = models.TextField(null=True, max_length=255)
    recorded_at = models.DateTimeField()
    position = models.BigIntegerField(
        unique=True,
        editable=False,
        db_default=Func(Value("reporting_pricingexperimentsegment_position"), function="nextval"),
    )

    class Meta:
        indexes: ClassVar = [
            # The REST list and the operator page walk by time, ties by id, in both orders.
            models.Index(fields=["recorded_at", "event_id"], name="segments_by_time"),
            # Searches for the assignments of one order.
            models.Index(fields=["order_id"], name="segments_by_order"),
            # The onboarding page: the newest of an experiment, of a variant, of a status, of a strategy.
            models.Index(fields=["slug", "recorded_at", "event_id"], name="segments_by_slug"),
            models.Index(fields=["slug", "variant_key", "recorded_at", "event_id"], name="segments_by_variant"),
            models.Index(fields=["variant_key", "recorded_at", "event_id"], name="segments_by_key"),
            models.Index(fields=["status", "recorded_at", "event_id"], name="segments_by_status"),
            models.Index(fields=["assignment_strategy", "recorded_at", "event_id"], name="segments_by_strategy"),
            # The onboarding page: one order, by the number that people know.
            models.Index(fields=["order_number", "recorded_at", "event_id"], name="segments_by_number"),
        ]

    def __str__(self) -> str:
        return f"{self.slug} {self.variant_key}"
