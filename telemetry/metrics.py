"""Counters of capture, for /metrics."""

from prometheus_client import Counter

from telemetry.intake import Intake

_EVENTS = Counter(
    "smplat_capture_events", "Events received by the capture routes, by what became of them.", ["outcome"]
)
_ACCEPTED, _DUPLICATES, _IGNORED, _REJECTED = map(_EVENTS.labels, ("accepted", "duplicate", "ignored", "rejected"))
_MINTED = Counter("smplat_capture_minted", "Accepted events that came without an id, and were given one.")
FORWARDS_DROPPED = Counter(
    "smplat_forward_dropped", "Bodies that were not forwarded, because newer ones needed their place in the backlog."
)


def count(*intakes: Intake) -> None:
    """Count what became of the events of requests."""
    _ACCEPTED.inc(sum(intake.accepted for intake in intakes))
    _DUPLICATES.inc(sum(intake.duplicates for intake in intakes))
    _IGNORED.inc(sum(intake.ignored for intake in intakes))
    _REJECTED.inc(sum(len(intake.rejected) for intake in intakes))
    _MINTED.inc(sum(intake.minted for intake in intakes))
