"""Which onboarding journeys go on, and which have stalled."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q

from reporting.models import OnboardingJourney, OnboardingJourneyEvent

#: A journey without an event for so long has stalled.
STALLED_AFTER = timedelta(days=7)
#: How many of the newest journeys are looked at.
COUNTED_JOURNEYS = 10_000


@dataclass(frozen=True)
class Journeys:
    """Of the newest journeys, how many had an event in the last seven days, and how many had none."""

    active: int
    stalled: int


def journeys(now: datetime) -> Journeys:
    """Count the newest 10,000 journeys, by one query; one whose first event is still to come counts by its start."""
    since = now - STALLED_AFTER
    newest = OnboardingJourney.objects.order_by("-created_at", "-id")[:COUNTED_JOURNEYS]
    events = OnboardingJourneyEvent.objects.filter(journey=OuterRef("pk"), occurred_at__gt=since)
    is_active = Q(created_at__gt=since) | Q(Exists(events))
    counts = OnboardingJourney.objects.filter(pk__in=newest.values("pk")).aggregate(
        active=Count("pk", filter=is_active), all=Count("pk")
    )
    return Journeys(counts["active"], counts["all"] - counts["active"])
