"""Counts of what happens in a minute of the clock, in the counters that the web processes share.

A counter per minute costs the same however high a limit is, and is raised atomically.
"""

import time

from django.core.cache import BaseCache

_SECONDS = 60


def key(name: str) -> str:
    """The counter of ``name`` in this minute."""
    return f"{name}:{int(time.time() // _SECONDS)}"


def count(counters: BaseCache, name: str) -> int:
    """Count once more, and return how often it was in this minute.

    Raises:
        RedisError: the counters cannot be reached.
        ValueError: the counter has just expired.
    """
    counter = key(name)
    try:
        return int(counters.incr(counter))
    except ValueError:
        counters.add(counter, 0, timeout=2 * _SECONDS)
        return int(counters.incr(counter))


def seconds_left() -> float:
    """Seconds until the next minute begins."""
    return _SECONDS - time.time() % _SECONDS
