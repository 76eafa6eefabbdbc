"""How far what the database holds and what an export says are apart.

Delta and drift compare the same events: what the export says of those that it held, and what the database holds of
exactly these, the ``events`` newest at or before the last one exported. What the live window shows now stands beside
them; an event that came after the export is in neither. The delta is

    export - database

and the drift of a count, in per cent,

    |export - database| / max(export, database, 1) * 100

That of the completion rate is the difference of the two rates, in percentage points.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone

from reporting.feeds import FEEDS
from reporting.insights.published import Published
from reporting.models import ExportRun
from telemetry.models import QuickOrderEvent
from telemetry.summaries import funnel

#: Drift above this many per cent is marked.
MAX_DRIFT = 5.0
#: An export of more events is not compared, since that would read them all.
MAX_COMPARED = 20_000
#: How many runs the sparkline shows.
RUNS_SHOWN = 24
_COUNTS = ("startCount", "abortCount", "completeCount")
_LABELS = {
    "startCount": "Starts",
    "abortCount": "Aborts",
    "completeCount": "Completes",
    "completionRate": "Completion rate",
}


@dataclass(frozen=True)
class Seen:
    """One event of the live window."""

    position: int
    name: str
    reason: Any
    received_at: datetime


@dataclass(frozen=True)
class Figure:
    """One metric of the funnel.

    Attributes:
        key: its name in the status.
        live: its value over the live window; None for a rate without a start.
        export: what the export says; None where there is none.
        covered: its value in the database over the events that the export covers; None where it is not compared.
    """

    key: str
    live: float | None
    export: float | None = None
    covered: float | None = None

    @property
    def label(self) -> str:
        return _LABELS[self.key]

    @property
    def is_rate(self) -> bool:
        """Whether it is the completion rate, in per cent."""
        return self.key not in _COUNTS

    @property
    def storefront(self) -> float | None:
        """What stands against the export: the covered value, or the live one where nothing is compared."""
        return self.live if self.covered is None else self.covered

    @property
    def delta(self) -> float | None:
        """Export minus storefront, over the events that the export held; None where it is not compared."""
        return None if self.covered is None or self.export is None else self.export - self.covered

    @property
    def drift(self) -> float | None:
        """The drift in per cent, of the rate in percentage points; None where it is not compared."""
        if self.covered is None or self.export is None:
            return None
        distance = abs(self.export - self.covered)
        return distance if self.is_rate else 100 * distance / max(self.covered, self.export, 1)

    @property
    def is_drifting(self) -> bool:
        return self.drift is not None and self.drift > MAX_DRIFT


@dataclass(frozen=True)
class Comparison:
    """Storefront against export.

    Attributes:
        figures: the metrics.
        newer: how many events of the live window came after the export.
        newer_fill_window: whether those are all that the window shows, so that there may be more.
        uncompared: why the two cannot be held against each other; empty where they are.
    """

    figures: list[Figure]
    newer: int
    newer_fill_window: bool
    uncompared: str

    @property
    def is_drifting(self) -> bool:
        return any(figure.is_drifting for figure in self.figures)


def live_window() -> list[Seen]:
    """The live window of the quick orders, newest first, by one query."""
    newest = QuickOrderEvent.objects.newest(FEEDS["quick_order"].window or 0)
    return [Seen(*row) for row in newest.values_list("position", "event_name", "metadata__reason", "received_at")]


def compare(window: Sequence[Seen], published: Published) -> Comparison:
    """Hold the live window and the database against an export, by one query at most.

    Args:
        window: the live window, newest first.
        published: the export's status.
    """
    live = funnel(seen.name for seen in window)
    if published.status is None:
        return Comparison([Figure(key, live[key]) for key in _LABELS], 0, False, "")
    export = published.status["metrics"] or dict.fromkeys(_LABELS)
    if unknown := _unknown(published.status, export):
        return Comparison([Figure(key, live[key], export[key]) for key in _LABELS], 0, False, unknown)
    last = _last_exported(window, published)
    uncompared = _why_not(last, published.status)
    covered: dict[str, Any] = {}
    if not uncompared and last is not None:
        names = QuickOrderEvent.objects.names_until(last, published.status["events"])
        covered = funnel(Counter(dict(names)))
    figures = [Figure(key, live[key], export[key], covered.get(key)) for key in _LABELS]
    newer = sum(1 for seen in window if last is None or seen.position > last)
    return Comparison(figures, newer, bool(window) and newer == len(window), uncompared)


def _last_exported(window: Sequence[Seen], published: Published) -> int | None:
    """The position of the last event that the export covers; None where that is not known."""
    if published.run is not None:
        return (published.run.checkpoint_after or {}).get("position")
    synced_at = (published.status or {})["syncedAt"]
    return next((seen.position for seen in window if seen.received_at <= synced_at), None)


def _unknown(status: dict[str, Any], metrics: dict[str, Any]) -> str:
    """What a comparison needs and the status does not say, as a sentence; empty where it says all."""
    needed = {name: status[name] for name in ("syncedAt", "events")} | {name: metrics[name] for name in _COUNTS}
    names = ", ".join(name for name, value in needed.items() if value is None)
    return f"The export's status has null for {names}." if names else ""


def _why_not(last: int | None, status: dict[str, Any]) -> str:
    if status["events"] > MAX_COMPARED:
        return f"The export holds {status['events']:,} events; more than {MAX_COMPARED:,} are not compared."
    if last is None and status["events"]:
        return "The export is older than every event of the live window, so the two have nothing in common."
    if timezone.now() - status["syncedAt"] > settings.TELEMETRY_RETENTION:
        return "The export is older than the retention, so the database no longer holds its events."
    return ""


@dataclass(frozen=True)
class RunDrift:
    """The drift of one run: what it exported against what the database held of the same events when it ended.

    Attributes:
        run: the run.
        percent: the largest drift of its counts, in per cent.
    """

    run: ExportRun
    percent: float

    @property
    def is_drifting(self) -> bool:
        return self.percent > MAX_DRIFT


def of_runs() -> list[RunDrift]:
    """The drift of the newest runs of the quick orders, oldest first, by one query."""
    runs = ExportRun.objects.of("quick_order").filter(state=ExportRun.State.SUCCEEDED, live_metrics__isnull=False)
    return [RunDrift(run, _of_run(run)) for run in reversed(runs[:RUNS_SHOWN])]


def _of_run(run: ExportRun) -> float:
    export, live = _counts(run.status, "metrics"), _counts({"live": run.live_metrics}, "live")
    figures = [Figure(key, None, export[key], live[key]) for key in _COUNTS]
    return max(figure.drift or 0.0 for figure in figures)


def _counts(document: Any, name: str) -> dict[str, int]:
    """The counts that stored JSON holds under ``name``; 0 for each that it does not hold."""
    stored = document.get(name) if isinstance(document, dict) else None
    given = stored if isinstance(stored, dict) else {}
    return {key: given[key] if type(given.get(key)) is int else 0 for key in _COUNTS}
