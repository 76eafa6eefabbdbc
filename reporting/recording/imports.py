"""Segments and follow-ups of the replaced system, stored under the ids and with the times that they had.

Rows come in wire shape, by the names of the warehouse's columns, or by those of the replaced system's own tables. Each
call is a transaction, so that an import which was cut short is simply repeated.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urljoin
from uuid import UUID, uuid5

from django.conf import settings
from django.db import connection, transaction

from reporting.accounting import ledger
from reporting.feeds import ColumnType, Feed
from reporting.feeds.from_wire import UnmappableError, warehouse_row
from reporting.feeds.shapes import Row, model_of
from reporting.models import (
    GuardrailFollowUp,
    OnboardingJourney,
    OnboardingJourneyEvent,
    PricingExperimentSegment,
)
from reporting.recording import followups, segments, statuses
from reporting.recording.requests import HTTP_URL
from smplat.lib.times import iso
from telemetry import imports
from telemetry.bodies import problem_of
from telemetry.imports import Imported, parsed

# Two imports at once take turns, batch by batch. Any number that no other use of advisory locks takes.
_LOCK = 0x53504C49
# Columns of the replaced system's own tables, with the wire paths under which they are read.
_OLD_COLUMNS = {
    segments.FEED.key: {"id": "eventId", "occurred_at": "recordedAt"},
    followups.FEED.key: {"platform_context": "platformContext"},
}
_BOOLEANS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


def import_segments(given: list[Any]) -> Imported:
    """Store assignments, with their journeys and journey events."""
    return _import(segments.FEED, [*_each_experiment(given)], _store_segments)


def import_followups(given: list[Any]) -> Imported:
    """Store follow-ups, and bring the states of their providers up to date; nothing is sent to Slack."""
    return _import(followups.FEED, [*enumerate(given)], _store_followups)


@transaction.atomic
def _import(feed: Feed, given: list[tuple[int, Any]], store: Callable[[list[Row]], int]) -> Imported:
    imported, rows = Imported(), []
    for place, row in given:
        try:
            rows.append(_row(feed, row))
        except UnmappableError as error:
            imported.refused[place] = f"{error.path.removeprefix('row.')}: {error.problem}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    imported.new = store(rows)
    imported.known = len(rows) - imported.new
    model, refused = model_of(feed), len(given) - len(rows)
    ledger.note(model, len(given), imported.new, imported.known, refused)
    imports.count(model._meta.label, imported.new)
    return imported


def _each_experiment(given: list[Any]) -> Iterator[tuple[int, Any]]:
    """Each experiment as a row; one event of the replaced system's table of journey events may hold several."""
    for place, row in enumerate(given):
        metadata = parsed(row.get("metadata")) if isinstance(row, dict) else None
        if not isinstance(metadata, dict):
            yield place, row
        elif row.get("event_type") == OnboardingJourneyEvent.PRICING_EXPERIMENT_SEGMENT:
            experiments = metadata.get("experiments", [metadata])
            yield from ((place, {**row, **experiment}) for experiment in experiments if isinstance(experiment, dict))


def _row(feed: Feed, given: Any) -> Row:
    """What the table holds for a row.

    Raises:
        UnmappableError: it cannot be stored.
    """
    if problem := problem_of(given):
        raise UnmappableError(*problem.split(": ", 1))
    if not isinstance(given, dict):
        raise UnmappableError("row", "Must be an object.")
    row = warehouse_row(feed, _wire(feed, given), "row")
    if feed is followups.FEED:
        _check_follow_up(row)
    return row


def _wire(feed: Feed, given: Row) -> Row:
    """A row in wire shape, whatever names it came by, with the texts of a CSV file as what they stand for."""
    wire = dict(given)
    for old, path in _OLD_COLUMNS[feed.key].items():
        if old in given and wire.get(path) is None:
            wire[path] = parsed(given[old])
    for column in feed.columns:
        if column.name in given:
            group, _, key = column.wire[0].rpartition(".")
            (_group(wire, group) if group else wire)[key] = given[column.name]
        if column.type in _READERS and isinstance(text := wire.get(column.wire[0]), str):
            wire[column.wire[0]] = _READERS[column.type](text)
    return wire


def _group(wire: Row, name: str) -> Row:
    if not isinstance(wire.get(name), dict):
        wire[name] = {}
    group: Row = wire[name]
    return group


def _time(text: str) -> str:
    """A time as PostgreSQL writes it, in ISO 8601; one without an offset stays as it is, to be refused."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return iso(moment) if moment.tzinfo else text


_READERS: dict[ColumnType, Callable[[str], Any]] = {
    ColumnType.BOOLEAN: lambda text: _BOOLEANS.get(text.lower(), text),
    ColumnType.TIMESTAMP: _time,
}


def _check_follow_up(row: Row) -> None:
    if row["action"] not in GuardrailFollowUp.Action.values:
        raise UnmappableError("action", f"Must be one of {', '.join(GuardrailFollowUp.Action.values)}.")
    if row["conversion_href"]:
        # The replaced system kept links into its own pages without their host.
        row["conversion_href"] = urljoin(f"{settings.PUBLIC_BASE_URL}/", row["conversion_href"])
        if not re.match(HTTP_URL, row["conversion_href"]):
            raise UnmappableError("conversionHref", "Must be an http:// or https:// URL.")
    row["conversion_href"] = row["conversion_href"] or None


def _store_segments(rows: list[Row]) -> int:
    new = _new_segments(rows)
    journeys = _journeys(new)
    OnboardingJourneyEvent.objects.bulk_create([_journey_event(row, journeys[row["order_id"]]) for row in new])
    PricingExperimentSegment.objects.bulk_create([PricingExperimentSegment(**row) for row in new])
    return len(new)


def _new_segments(rows: list[Row]) -> list[Row]:
    """Those that are not stored yet.

    The replaced system gave all experiments of one event that event's id. The first of them keeps it, and each other
    one gets an id that follows from it, so that a repeated import finds them.
    """
    own = [UUID(row["event_id"]) for row in rows]
    derived = [uuid5(key, f"{row['slug']}\n{row['variant_key']}") for key, row in zip(own, rows, strict=True)]
    found = PricingExperimentSegment.objects.filter(pk__in={*own, *derived})
    variants = {key: (slug, variant) for key, slug, variant in found.values_list("pk", "slug", "variant_key")}
    new = []
    for row, key, other in zip(rows, own, derived, strict=True):
        variant = row["slug"], row["variant_key"]
        event_id = key if variants.get(key, variant) == variant else other
        if event_id not in variants:
            variants[event_id] = variant
            new.append({**row, "event_id": event_id})
    return new


def _journeys(rows: list[Row]) -> dict[str, OnboardingJourney]:
    """The journeys of the rows' orders, made where there are none, by the order."""
    first = {row["order_id"]: row for row in reversed(rows)}
    numbers = {row["order_id"]: row["order_number"] for row in rows if row["order_number"]}
    OnboardingJourney.objects.bulk_create(
        [
            OnboardingJourney(
                id=row["journey_id"],
                order_id=order_id,
                order_number=numbers.get(order_id),
                created_at=row["recorded_at"],
            )
            for order_id, row in sorted(first.items())
        ],
        ignore_conflicts=True,
    )
    known = {str(journey.order_id): journey for journey in OnboardingJourney.objects.filter(order_id__in=first)}
    journeys = {order_id: known.get(order_id) or OnboardingJourney.objects.locked(UUID(order_id)) for order_id in first}
    unnumbered = [journeys[order_id] for order_id in numbers if journeys[order_id].order_number is None]
    for journey in unnumbered:
        journey.order_number = numbers[str(journey.order_id)]
    OnboardingJourney.objects.bulk_update(unnumbered, ["order_number"])
    return journeys


def _journey_event(row: Row, journey: OnboardingJourney) -> OnboardingJourneyEvent:
    return OnboardingJourneyEvent(
        id=row["event_id"],
        journey=journey,
        order_id=row["order_id"],
        event_type=OnboardingJourneyEvent.PRICING_EXPERIMENT_SEGMENT,
        metadata={column.wire[0]: row[column.name] for column in segments.EXPERIMENT_COLUMNS},
        occurred_at=row["recorded_at"],
    )


def _store_followups(rows: list[Row]) -> int:
    by_id = {row["follow_up_id"]: row for row in reversed(rows)}
    known = GuardrailFollowUp.objects.filter(pk__in=by_id).values_list("pk", flat=True)
    for follow_up_id in known:
        del by_id[str(follow_up_id)]
    new = [*by_id.values()][::-1]
    GuardrailFollowUp.objects.bulk_create([GuardrailFollowUp(**row) for row in new])
    statuses.follow({row["provider_id"] for row in new})
    return len(new)
