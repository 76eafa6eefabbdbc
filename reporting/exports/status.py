"""The status JSON of the telemetry jobs, computed from the lines of the object that was uploaded."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from reporting.feeds import Feed
from smplat.lib.times import iso
from telemetry.models import QuickOrderEvent
from telemetry.summaries import WorkflowActivity, funnel


class QuickOrderMetrics:
    """Metrics of quick-order lines."""

    def __init__(self) -> None:
        self._names: Counter[str] = Counter()

    def add(self, row: dict[str, Any]) -> None:
        """Count one row."""
        self._names[row["name"]] += 1

    def metrics(self) -> dict[str, Any]:
        """The ``metrics`` of the status."""
        return dict(funnel(self._names))


METRICS: dict[str, Callable[[], QuickOrderMetrics | WorkflowActivity]] = {
    "quick_order": QuickOrderMetrics,
    "guardrail_workflow": WorkflowActivity,
}


def live_metrics(feed: Feed, positions: tuple[int, int]) -> dict[str, Any] | None:
    """The metrics of an object's events as the database counts them, to hold the object's own against.

    Args:
        feed: the feed; only the quick orders have a funnel to compare.
        positions: the first and the last position of the object.
    """
    if feed.key != "quick_order":
        return None
    return dict(funnel(Counter(dict(QuickOrderEvent.objects.names_between(*positions)))))


def status_json(
    feed_key: str, synced_at: datetime, events: int, urls: tuple[str, str], object_key: str, metrics: dict[str, Any]
) -> dict[str, Any]:
    """The status of a finished mirror; no key is ever left out.

    Args:
        feed_key: the feed's key.
        synced_at: when the object was in place.
        events: how many rows it holds.
        urls: where to download it, and the page of the run.
        object_key: the object's key, told for the workflow feed.
        metrics: the metrics of its lines.
    """
    status = {"syncedAt": iso(synced_at), "events": events, "downloadUrl": urls[0], "workflowUrl": urls[1]}
    if feed_key == "guardrail_workflow":
        status["s3Key"] = object_key
    return {**status, "metrics": metrics}
