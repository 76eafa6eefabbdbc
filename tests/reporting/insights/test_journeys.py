"""Which journeys go on, and which have stalled."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from reporting.insights import journeys as insight
from reporting.insights.journeys import STALLED_AFTER, journeys
from reporting.models import OnboardingJourney, OnboardingJourneyEvent

pytestmark = pytest.mark.django_db

NOW = timezone.now()
OLD = STALLED_AFTER + timedelta(minutes=1)


def journey(age: timedelta, *events: timedelta) -> None:
    made = OnboardingJourney.objects.create(order_id=uuid.uuid4(), created_at=NOW - age)
    for event in events:
        OnboardingJourneyEvent.objects.create(
            journey=made, order_id=made.order_id, event_type="step", occurred_at=NOW - event
        )


@pytest.mark.habit(
    "Active journeys are held against stalled ones.",
    "/admin/onboarding#journeys does; a journey without an event for 7 days has stalled.",
)
def test_a_journey_without_an_event_for_seven_days_has_stalled():
    journey(OLD, OLD)
    journey(OLD)
    journey(OLD, OLD, timedelta(days=1))
    journey(timedelta(days=1))

    found = journeys(NOW)

    assert (found.active, found.stalled) == (2, 2)


def test_only_the_newest_journeys_are_counted(monkeypatch):
    monkeypatch.setattr(insight, "COUNTED_JOURNEYS", 2)
    for days in range(1, 4):
        journey(timedelta(days=days))
    journey(OLD)

    assert journeys(NOW) == insight.Journeys(active=2, stalled=0)


def test_without_any_there_are_none():
    assert journeys(NOW) == insight.Journeys(active=0, stalled=0)
