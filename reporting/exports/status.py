"""The status JSON of the telemetry jobs, computed from the lines of the object that was uploaded."""

from datetime import datetime
from typing import Any

from reporting.feeds import Feed
from smplat.lib.times import iso


def status_json(
    feed: Feed, synced_at: datetime, events: int, urls: tuple[str, str], object_key: str, metrics: dict[str, Any]
) -> dict[str, Any]:
    """The status of a finished mirror; no key is ever left out.

    Args:
        feed: the feed.
        synced_at: when the object was in place.
        events: how many rows it holds.
        urls: where to download it, and the page of the run.
        object_key: the object's key, for a feed whose status names it.
        metrics: the metrics of its lines.
    """
    status = {"syncedAt": iso(synced_at), "events": events, "downloadUrl": urls[0], "workflowUrl": urls[1]}
    if feed.names_object:
        status["s3Key"] = object_key
    return {**status, "metrics": metrics}
