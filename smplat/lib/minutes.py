"""Counts of what happens in a minute of the clock, in counters that the web processes share.

They are in Redis where that is set, and otherwise in a file that the processes of this machine have in their memory. A
counter per minute costs the same however high a limit is, and is raised atomically.
"""

import time
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.core.cache import DEFAULT_CACHE_ALIAS, BaseCache, caches
from redis.exceptions import RedisError

from smplat.lib.shared_counts import SharedCounts

_SECONDS = 60


class UnreachableError(Exception):
    """The counters cannot be reached; the message says no more than the kind of the error."""


def count(name: str, times: int = 1) -> int:
    """Count ``name`` so many times more, and return how often it was in this minute, these times included.

    Raises:
        UnreachableError: the counters cannot be reached.
    """
    minute = int(time.time() // _SECONDS)
    try:
        if settings.REDIS_URL:
            return _count_in(_redis(), f"{name}:{minute}", times)
        return _shared(settings.COUNTERS_PATH).count(name, minute, times)
    # ValueError: a counter has just expired.
    except (RedisError, ValueError, OSError) as error:
        raise UnreachableError(type(error).__name__) from error


def seconds_left() -> float:
    """Seconds until the next minute begins."""
    return _SECONDS - time.time() % _SECONDS


def _count_in(redis: BaseCache, counter: str, times: int) -> int:
    try:
        return int(redis.incr(counter, times))
    except ValueError:
        redis.add(counter, 0, timeout=2 * _SECONDS)
        return int(redis.incr(counter, times))


@lru_cache(maxsize=1)
def _redis() -> BaseCache:
    """One for all threads and coroutines; Django would make another one for each request that a coroutine answers."""
    return caches.create_connection(DEFAULT_CACHE_ALIAS)


@lru_cache(maxsize=1)
def _shared(path: Path) -> SharedCounts:
    return SharedCounts(path)
