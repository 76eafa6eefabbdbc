"""Counters of capture, for /metrics."""

from prometheus_client import Counter

from telemetry.intake import Intake

_EVENTS = Counter(
    "smplat_capture_events", "Events received by the capture routes, by what became of them.", ["outcome"]
)
_MINTED = Counter("smplat_capture_minted", "Accepted events that came without an id, and were given one.")
FORWARDS_DROPPED = Counter(
    "smplat_forward_dropped", "Bodies that were not forwarded, because newer ones needed their place in the backlog."
)


def count(intake: Intake) -> None:
    _EVENTS.labels("accepted").inc(intake.accepted)
    _EVENTS.labels("duplicate").inc(intake.duplicates)
    _EVENTS.labels("ignored").inc(intake.ignored)
    _EVENTS.labels("rejected").inc(len(intake.rejected))
    _MINTED.inc(intake.minted)
