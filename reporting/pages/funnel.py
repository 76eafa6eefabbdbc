"""The quick-order funnel: what the storefront saw, and what the export holds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from reporting.accounting.day_totals import daily_counts
from reporting.feeds import FEEDS
from reporting.insights import drift, published
from reporting.insights.drift import Comparison, Seen
from reporting.pages import charts
from telemetry.models import QuickOrderEvent
from telemetry.summaries import funnel

_DAYS = 7
_MAX_REASONS = 8
_NOT_GIVEN = "not given"
_MAX_REASON_LENGTH = 80
_SERIES = {
    QuickOrderEvent.Name.START: "starts",
    QuickOrderEvent.Name.ABORT: "aborts",
    QuickOrderEvent.Name.COMPLETE: "completes",
}


@dataclass(frozen=True)
class Reason:
    """A reason for which shoppers aborted, how often, and its share of all aborts in per cent."""

    text: str
    count: int
    percent: int


def section(request: HttpRequest) -> dict[str, Any]:
    """Storefront live and against export, the drift of the last runs, abort reasons, and the days' flow."""
    window = drift.live_window()
    statuses = published.statuses()
    status = statuses["quick_order"]
    comparison = drift.compare(window, status)
    runs = drift.of_runs()
    return {
        "funnel": {
            "window": FEEDS["quick_order"].window,
            "events": len(window),
            "last_at": window[0].received_at if window else None,
            "status": status,
            "comparison": comparison,
            "chart": _chart(comparison),
            "runs": runs,
            "sparkline": charts.sparkline([run.percent for run in runs], drift.MAX_DRIFT),
            "max_drift": drift.MAX_DRIFT,
            "reasons": _reasons(window),
            **_flow(),
        },
        **_live(window),
        # The workflow section shows the others, so that all of them are read at once.
        "statuses": statuses,
    }


def live() -> dict[str, Any]:
    """The funnel over the live window alone, for ``_funnel_live.html``; by one query."""
    return _live(drift.live_window())


def _live(window: Sequence[Seen]) -> dict[str, Any]:
    last_at = window[0].received_at if window else None
    return {"funnel_live": {"metrics": funnel(seen.name for seen in window), "events": len(window), "last_at": last_at}}


def _chart(comparison: Comparison) -> charts.BarChart:
    counts = [figure for figure in comparison.figures if not figure.is_rate]
    return charts.grouped_bars(
        {
            figure.label: {
                "storefront": figure.storefront or 0,
                **({} if figure.export is None else {"export": figure.export}),
            }
            for figure in counts
        }
    )


def _reasons(window: Sequence[Seen]) -> list[Reason]:
    aborts = [seen.reason for seen in window if seen.name == QuickOrderEvent.Name.ABORT]
    counts = Counter(_words(reason) for reason in aborts)
    return [Reason(text, count, round(100 * count / len(aborts))) for text, count in counts.most_common(_MAX_REASONS)]


def _words(reason: Any) -> str:
    text = " ".join(str(reason).split()) if reason else _NOT_GIVEN
    return text if len(text) <= _MAX_REASON_LENGTH else f"{text[:_MAX_REASON_LENGTH]}…"


def _flow() -> dict[str, Any]:
    daily = daily_counts("quick_order", QuickOrderEvent.names, _DAYS, timezone.now())
    counts = {
        day: {series: daily[name][day] for name, series in _SERIES.items()} for day in daily[QuickOrderEvent.Name.START]
    }
    stacks = charts.stacked_bars({f"{day:%b} {day.day}": series for day, series in counts.items()})
    return {"days": counts.items(), "has_flow": any(any(series.values()) for series in counts.values()), "flow": stacks}
