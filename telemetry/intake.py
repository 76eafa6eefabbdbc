"""Normalise captured events, and have them stored once each, those of several requests at once where they wait."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any, cast

from django.db.models import TextField

from smplat.lib.times import is_accepted
from telemetry import refusals, store
from telemetry.bodies import problem_of
from telemetry.models import kinds
from telemetry.refusals import Sender
from telemetry.store import NO_FEED, Model, Row

# Namespace of the UUIDv5 (RFC 9562, section 5.5) of ids that are no UUIDs. Changing it would store old events again.
_CLIENT_IDS = uuid.UUID("6f1d3c52-8f0e-5a4b-9d57-1c2f6b0a7e94")
# What stands for itself; other forms that uuid.UUID reads, such as braces, are as good as any other text.
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MODELS: dict[str, Model] = {name: model for model in kinds() for name in model.names}
_OUTCOMES = ("received", "given", "ignored", "rejected", "minted")
# How many events had which outcome, by line of the ledger.
Counts = dict[str, dict[str, int]]


class RefusedError(ValueError):
    """An event that cannot be stored; the message starts with the field's name and says what is allowed."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name
        self.problem = problem


@dataclass
class Intake:
    """What became of the events of one request.

    Attributes:
        accepted: events stored by this request.
        duplicates: events whose id was stored before.
        ignored: events whose name belongs to no feed of the route.
        rejected: reason by index, for events that cannot be stored.
        minted: of the accepted, those that came without an id, which nobody can tell from a repetition.
    """

    accepted: int = 0
    duplicates: int = 0
    ignored: int = 0
    rejected: dict[int, RefusedError] = field(default_factory=dict)
    minted: int = 0


@dataclass
class Prepared:
    """The events of one request, ready to be stored.

    Attributes:
        rows: what is to be stored, by table, in the client's order.
        counts: what the request brought for the ledger.
        intake: what became of the events that are not to be stored.
        refusals: what is kept of those that cannot be.
    """

    rows: dict[Model, list[Row]]
    counts: Counts
    intake: Intake
    refusals: list[Row] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many rows there are."""
        return sum(map(len, self.rows.values()))


def capture(
    events: list[Any], models: tuple[Model, ...], *, is_storable: bool = False, sender: Sender | None = None
) -> Intake:
    """Store each of ``events`` once, in one INSERT whatever their number, and commit; count them for the ledger in it.

    Args:
        events: parsed values in the client's order; see :mod:`telemetry.bodies`.
        models: the feeds that the route takes; events of others are counted as ignored.
        is_storable: whether :func:`telemetry.bodies.problem_of` is known to find nothing in them.
        sender: where they came from, to be kept with those that are refused; None where nothing is kept of them.

    Returns:
        What became of each event. It is complete when this returns: the rows are committed.
    """
    prepared = prepare(events, models, is_storable=is_storable, sender=sender)
    attribute([prepared], store.insert(*merged([prepared])))
    return prepared.intake


def prepare(
    events: list[Any], models: tuple[Model, ...], *, is_storable: bool = False, sender: Sender | None = None
) -> Prepared:
    """Make rows of ``events``; the arguments are those of :func:`capture`."""
    intake = Intake()
    received_at = datetime.now(UTC)
    rows: dict[Model, list[Row]] = {}
    counts: Counts = {}
    # What comes in is counted before anything is done with it, so that an event which got lost on the way would show.
    for event in events:
        _counts_of(_line_of(event, models), counts)["received"] += 1
    for index, event in enumerate(events):
        try:
            model = _model_of(event)
            if model is None or model not in models:
                intake.ignored += 1
                counts[NO_FEED]["ignored"] += 1
                continue
            if not is_storable and (problem := problem_of(event)):
                raise RefusedError(*problem.split(": ", 1))
            rows.setdefault(model, []).append(_row(model, event, received_at))
            is_minted = event.get("id") is None
            intake.minted += is_minted
            counts[model._meta.label]["minted"] += is_minted
        except RefusedError as refused:
            intake.rejected[index] = refused
            counts[_line_of(event, models)]["rejected"] += 1
    for model, given in rows.items():
        counts[model._meta.label]["given"] = len(given)
    return Prepared(rows, counts, intake, _refusals(events, models, intake, sender))


def _refusals(events: list[Any], models: tuple[Model, ...], intake: Intake, sender: Sender | None) -> list[Row]:
    if sender is None or not intake.rejected:
        return []
    kept = islice(intake.rejected.items(), refusals.MAX_A_REQUEST)
    return [
        refusals.row(sender, _line_of(events[index], models), index, events[index], refused.name, refused.problem)
        for index, refused in kept
    ]


def merged(requests: Sequence[Prepared]) -> tuple[dict[Model, list[Row]], list[Row], list[Row]]:
    """The rows, tallies and refusals of all ``requests`` as :func:`telemetry.store.insert` takes them."""
    counts: Counts = {}
    rows: dict[Model, dict[str, Row]] = {}
    for request in requests:
        for line, outcomes in request.counts.items():
            total = _counts_of(line, counts)
            for outcome, count in outcomes.items():
                total[outcome] += count
        for model, given in request.rows.items():
            firsts = rows.setdefault(model, {})
            for row in given:
                firsts.setdefault(row["event_id"], row)
    refused = [row for request in requests for row in request.refusals]
    return {model: list(firsts.values()) for model, firsts in rows.items()}, _tallies(counts), refused


def attribute(requests: Sequence[Prepared], new: dict[Model, set[str]]) -> None:
    """Tell each request what was accepted of it, given which ids were new: the first with an id has brought it."""
    for request in requests:
        for model, given in request.rows.items():
            for row in given:
                is_new = row["event_id"] in new[model]
                new[model].discard(row["event_id"])
                request.intake.accepted += is_new
                request.intake.duplicates += not is_new


def _counts_of(line: str, counts: Counts) -> dict[str, int]:
    """What ``counts`` has for a line, which is zero at first."""
    return counts.get(line) or counts.setdefault(line, dict.fromkeys(_OUTCOMES, 0))


def _line_of(event: Any, models: tuple[Model, ...]) -> str:
    """The line of the ledger on which an event counts: its feed's, where the route takes it."""
    name = event.get("name") if isinstance(event, dict) else None
    model = _MODELS.get(name) if isinstance(name, str) else None
    return model._meta.label if model is not None and model in models else NO_FEED


def _tallies(counts: Counts) -> list[Row]:
    return [{"line": line, **counts[line]} for line in sorted(counts)]


def _model_of(event: Any) -> Model | None:
    if not isinstance(event, dict):
        raise RefusedError(
            "event", problem.partition(": ")[2] if (problem := problem_of(event)) else "must be an object"
        )
    name = event.get("name")
    if not isinstance(name, str) or not name:
        raise RefusedError("name", "must be a string such as quick_order.start")
    return _MODELS.get(name)


def _row(model: Model, event: dict[str, Any], received_at: datetime) -> Row:
    guardrail, metadata = _object(event, "guardrail"), _object(event, "metadata")
    for key in ("reason", "outcome"):
        if event.get(key) is not None:
            metadata[key] = event[key]
    parts = {"": event, "guardrail": guardrail, "metadata": metadata}
    return {
        "event_id": event_id_of(event.get("id")),
        "recorded_at": _recorded_at(event.get("recordedAt"), received_at),
        "metadata": metadata,
        "event": event,
        "received_at": received_at,
        **{column.name: _string(column, parts) for column in _columns(model)},
    }


@dataclass(frozen=True)
class _Column:
    """A text column of a model: where its value stands in an event, and what it may be."""

    name: str
    paths: tuple[tuple[str, str, str], ...]
    max_length: int
    is_nullable: bool


@cache
def _columns(model: Model) -> tuple[_Column, ...]:
    fields = {name: cast("TextField[Any, Any]", model._meta.get_field(name)) for name in model.sources}
    return tuple(
        _Column(name, tuple(map(_split, model.sources[name])), field.max_length or 0, field.null)
        for name, field in fields.items()
    )


def _split(path: str) -> tuple[str, str, str]:
    """A dotted path, the part of an event that it leads into (empty for the event itself), and the key there."""
    part, _, key = path.rpartition(".")
    return path, part, key


def _string(column: _Column, parts: dict[str, Row]) -> str | None:
    for path, part, key in column.paths:
        value = parts[part].get(key)
        if value is not None:
            return _checked(column, path, value)
    return None if column.is_nullable else _checked(column, column.paths[-1][0], None)


def _checked(column: _Column, path: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > column.max_length or not (value or column.is_nullable):
        raise RefusedError(path, f"must be a string of at most {column.max_length} characters")
    return value


def _object(event: dict[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RefusedError(name, "must be an object")
    return dict(value)


def event_id_of(value: Any) -> str:
    """The UUID under which an event with the id ``value`` is stored; a new one for None.

    Raises:
        RefusedError: no event has such an id.
    """
    if value is None:
        return str(uuid.uuid4())
    if not isinstance(value, str) or not 1 <= len(value) <= 200:
        raise RefusedError("id", "must be 1–200 characters; a UUID is preferred")
    return value.lower() if _UUID.fullmatch(value) else str(uuid.uuid5(_CLIENT_IDS, value))


def _recorded_at(value: Any, received_at: datetime) -> datetime:
    if value is None:
        return received_at
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        raise RefusedError("recordedAt", "must be an ISO 8601 time such as 2026-01-22T04:00:00.000Z") from None
    if moment.utcoffset() is None:
        raise RefusedError("recordedAt", "must have an offset, such as Z or +01:00")
    if not is_accepted(moment):
        raise RefusedError("recordedAt", "must lie between 1970 and 2200")
    # PostgreSQL takes no offset of 16 hours and more.
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
