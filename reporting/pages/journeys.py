"""The journeys of the onboarding page: how many go on, and how many have stalled."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from reporting.insights import journeys
from smplat.lib.query_timeout import QueryTimeoutError, query_timeout


def section(timeout: timedelta) -> dict[str, Any]:
    """The counts; None where the database takes longer than ``timeout``."""
    try:
        with query_timeout(timeout):
            found = journeys.journeys(timezone.now())
    except QueryTimeoutError:
        found = None
    return {
        "journeys": found,
        "stalled_days": journeys.STALLED_AFTER.days,
        "max_journeys": f"{journeys.COUNTED_JOURNEYS:,}",
    }
