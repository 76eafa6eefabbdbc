"""Events that the replaced system captured, stored under the ids and with the times that they had."""

from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import transaction
from django.db.models import F

from telemetry.intake import capture
from telemetry.models import ImportTotal, kinds
from telemetry.store import Model

Row = dict[str, Any]
# What capture fills in for a client would make another event of it at each import.
_NEEDED = ("id", "recordedAt")


@dataclass
class Imported:
    """What became of some rows.

    Attributes:
        new: how many were stored.
        known: how many were stored before.
        ignored: how many belong to no feed.
        refused: what is wrong with a row, by its place among those given.
    """

    new: int = 0
    known: int = 0
    ignored: int = 0
    refused: dict[int, str] = field(default_factory=dict)


def count(line: str, rows: int) -> None:
    """Count ``rows`` new rows of a line of the ledger as imported, in the transaction that stores them."""
    ImportTotal.objects.get_or_create(line=line, defaults={"rows": 0})
    ImportTotal.objects.filter(line=line).update(rows=F("rows") + rows)


def import_events(given: list[Any]) -> Imported:
    """Store events, once each, in one transaction.

    Args:
        given: events as the storefront sent them, or rows by the names of the warehouse's columns.
    """
    imported = Imported()
    events = [_event(row) for row in given]
    with transaction.atomic():
        for model in (*kinds(), None):
            places = [place for place, event in enumerate(events) if _kind(event) is model]
            if places:
                _store(model, places, [events[place] for place in places], imported)
    return imported


def _store(model: Model | None, places: list[int], events: list[Any], imported: Imported) -> None:
    intake = capture(events, (model,) if model else kinds())
    imported.new += intake.accepted
    imported.known += intake.duplicates
    imported.ignored += intake.ignored
    imported.refused |= {places[index]: str(error) for index, error in intake.rejected.items()}
    if model:
        count(model._meta.label, intake.accepted)


def _kind(event: Any) -> Model | None:
    name = event.get("name") if isinstance(event, dict) else None
    return next((model for model in kinds() if name in model.names), None)


def _event(row: Any) -> Any:
    """A row as the storefront sent it; what is missing there and may not be stays as an empty string, to be refused."""
    if not isinstance(row, dict):
        return row
    event = dict(row) if "name" in row else _from_columns(row)
    event |= {name: parsed(event[name]) for name in ("metadata", "guardrail") if name in event}
    return {**event, **{name: "" for name in _NEEDED if event.get(name) is None}}


def _from_columns(row: Row) -> Row:
    model = next((model for model in kinds() if _has_columns_of(model, row)), None)
    if model is None:
        return dict(row)
    metadata = parsed(row.get("metadata"))
    outcome = {key: metadata.get(key) for key in ("reason", "outcome")} if isinstance(metadata, dict) else {}
    event = {
        "id": row.get("event_id") or row.get("id"),
        "name": model.names[0],
        "recordedAt": row.get("recorded_at"),
        "metadata": metadata,
        **{key: value for key, value in outcome.items() if value is not None},
    }
    for column, paths in model.sources.items():
        part, _, key = paths[0].rpartition(".")
        (event.setdefault(part, {}) if part else event)[key] = row.get(column)
    return event


def _has_columns_of(model: Model, row: Row) -> bool:
    return all(row.get(name) is not None for name in model.sources if not model._meta.get_field(name).null)


def parsed(value: Any) -> Any:
    """The JSON in a cell of a CSV file; what is no text, or no JSON, stays as it is."""
    try:
        return orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        return value
