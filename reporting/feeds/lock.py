"""One process at a time works on a feed: a PostgreSQL advisory lock, which goes with its session, however that ends."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

# The first half of the lock's two-part key; any number that no other use of advisory locks in this database takes.
_LOCK_CLASS = 0x5350


class FeedBusyError(RuntimeError):
    """Another process works on the feed."""


@contextmanager
def held(feed_key: str) -> Iterator[None]:
    """Hold a feed, or one run by its id, for the time of the block.

    Raises:
        FeedBusyError: another process holds it.
    """
    key = _key(feed_key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", key)
        if not cursor.fetchone()[0]:
            raise FeedBusyError(f"another run of {feed_key} is in progress")
    try:
        yield
    finally:
        # A broken connection has lost the lock already, and cannot be asked to give it back.
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", key)


def is_held(feed_key: str) -> bool:
    """Whether any process holds a feed, found without holding it for a moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            # How PostgreSQL shows a key of two parts.
            " AND classid = %s AND objid = %s AND objsubid = 2)",
            _key(feed_key),
        )
        return bool(cursor.fetchone()[0])


def _key(feed_key: str) -> list[int]:
    return [_LOCK_CLASS, zlib.crc32(feed_key.encode()) & 0x7FFFFFFF]
