"""How long to leave another server alone that fails."""

import random
from datetime import timedelta

_MAX_SECONDS = 300


def pause_after(failures: int) -> timedelta:
    """2, 4, 8 … seconds up to five minutes, less up to half of it, so that those who wait spread.

    Args:
        failures: how often it failed in a row, at least once.
    """
    max_seconds = min(2 ** min(failures, 16), _MAX_SECONDS)
    return timedelta(seconds=random.uniform(max_seconds / 2, max_seconds))
