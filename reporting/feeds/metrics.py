"""What counts the metrics of a feed's status."""

from django.utils.module_loading import import_string

from reporting.feeds import Feed
from telemetry.summaries import Metrics


def metrics_of(feed: Feed) -> type[Metrics]:
    """The class that the declaration of a feed with a window names."""
    found: type[Metrics] = import_string(feed.metrics)
    return found
