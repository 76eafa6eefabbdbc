"""Recording of pricing-experiment assignments: the only place that writes journeys, their events and their mirror."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from reporting.feeds import FEEDS
from reporting.feeds.filters import ColumnFilter
from reporting.feeds.shapes import Row
from reporting.models import OnboardingJourney, OnboardingJourneyEvent
from reporting.recording import rows

FEED = FEEDS["onboarding_segments"]
#: The experiment at which a list of them goes on.
SLUG = ColumnFilter(FEED, "slug")
#: What the server itself knows of a row, or takes from around the experiment.
_FROM_THE_SERVER = frozenset({"event_id", "journey_id", "order_id", "order_number", "recorded_at"})
#: The columns that an experiment of a request fills.
EXPERIMENT_COLUMNS = tuple(column for column in FEED.columns if column.name not in _FROM_THE_SERVER)

Experiment = dict[str, Any]


class UnknownJourneyError(LookupError):
    """The order has no journey with the id that was given."""


@transaction.atomic
def record(
    order_id: UUID, experiments: list[Experiment], order_number: str | None = None, journey_id: UUID | None = None
) -> list[UUID]:
    """Record the experiments that an order saw: a journey event and its mirror row for each distinct variant.

    Args:
        order_id: the order; its journey is made when it has none.
        experiments: values by the names of :data:`EXPERIMENT_COLUMNS`. Of several with one slug and variant key the
            first counts.
        order_number: the order's number for people, which the journey takes over; None leaves what is known.
        journey_id: the order's journey, where the caller knows it.

    Returns:
        The ids of the events, in the order of the experiments.

    Raises:
        UnknownJourneyError: ``journey_id`` is not the journey of the order; nothing is written.
    """
    journey = _known_journey(order_id, journey_id) if journey_id else OnboardingJourney.objects.locked(order_id)
    if order_number and order_number != journey.order_number:
        journey.order_number = order_number
        journey.save(update_fields=["order_number"])
    distinct: dict[tuple[str, str], Experiment] = {}
    for experiment in experiments:
        distinct.setdefault((experiment["slug"], experiment["variant_key"]), experiment)
    event_ids = [uuid4() for _ in distinct]

    def make(recorded_at: datetime) -> list[Row]:
        return _write_events(journey, recorded_at, dict(zip(event_ids, distinct.values(), strict=True)))

    rows.insert(FEED, make, repeated=len(experiments) - len(distinct))
    return event_ids


def _known_journey(order_id: UUID, journey_id: UUID) -> OnboardingJourney:
    journeys = OnboardingJourney.objects.select_for_update(no_key=True)
    try:
        return journeys.get(pk=journey_id, order_id=order_id)
    except OnboardingJourney.DoesNotExist as error:
        raise UnknownJourneyError(f"unknown journey {journey_id} of order {order_id}") from error


def _write_events(journey: OnboardingJourney, recorded_at: datetime, experiments: dict[UUID, Experiment]) -> list[Row]:
    """Write the journey's events, and return the rows that mirror them."""
    OnboardingJourneyEvent.objects.bulk_create(
        OnboardingJourneyEvent(
            id=event_id,
            journey=journey,
            order_id=journey.order_id,
            event_type=OnboardingJourneyEvent.PRICING_EXPERIMENT_SEGMENT,
            metadata={column.wire[0]: experiment[column.name] for column in EXPERIMENT_COLUMNS},
            occurred_at=recorded_at,
        )
        for event_id, experiment in experiments.items()
    )
    order = {"journey_id": journey.pk, "order_id": journey.order_id, "order_number": journey.order_number}
    return [{"event_id": event_id, **order, **experiment} for event_id, experiment in experiments.items()]
