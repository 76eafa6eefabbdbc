"""How long a desk takes until it is well again, and until everything has been exported."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import httpx
import psycopg

from tests.e2e.desk import Desk
from tests.faults.checker.feeds import FEEDS
from tests.faults.checker.workload import Log, probe
from tests.http_client import HTTP

#: What is waited for: a capture that is acknowledged, readiness, and a successful export of every feed.
SIGNS = ("capture", "ready", "exports")
MAX_SECONDS = 150.0
_PAUSE_SECONDS = 0.1
_SUCCEEDED = "SELECT feed, count(*) FROM reporting_exportrun WHERE state = 'succeeded' GROUP BY feed"
_PAUSES = """
    SELECT 'Slack', max(opens_at) - now() FROM reporting_slackchannel
    UNION ALL SELECT 'Slack', max(next_attempt_at) - now() FROM reporting_slackmessage WHERE state = 'waiting'
    UNION ALL SELECT 'forwarding', max(asked_from) - now() FROM telemetry_forwardbreaker
    UNION ALL SELECT 'forwarding', max(next_attempt_at) - now() FROM telemetry_forward
"""
_MAX_PAUSE = timedelta(minutes=5)
Counts = dict[str, int]


def measure(desk: Desk, log: Log) -> dict[str, float | None]:
    """The seconds from now until each of the signs; None for one that does not come in time."""
    signs: tuple[Callable[[], bool], ...] = (
        lambda: probe(desk.url, log),
        lambda: _is_ready(desk.url),
        _every_feed_exports(desk),
    )
    with ThreadPoolExecutor(len(signs)) as pool:
        return dict(zip(SIGNS, pool.map(_seconds_until, signs), strict=True))


def _seconds_until(has_come: Callable[[], bool]) -> float | None:
    begun = time.monotonic()
    while time.monotonic() - begun < MAX_SECONDS:
        if has_come():
            return time.monotonic() - begun
        time.sleep(_PAUSE_SECONDS)
    return None


def _is_ready(url: str) -> bool:
    try:
        return HTTP.get(f"{url}/readyz", timeout=5).is_success
    except httpx.HTTPError:
        return False


def _every_feed_exports(desk: Desk) -> Callable[[], bool]:
    """A question that is answered by True when each feed has one successful run more than when it was first asked."""
    before: Counts = {}

    def has_come() -> bool:
        try:
            found = _counts(desk)
        except psycopg.Error:
            return False
        if not before:
            before.update(dict.fromkeys(FEEDS, 0) | found)
        return all(found.get(feed, 0) > before[feed] for feed in FEEDS)

    return has_come


def _counts(desk: Desk) -> Counts:
    with closing(desk.database()) as session:
        return dict(session.execute(_SUCCEEDED).fetchall())


def long_pauses(desk: Desk) -> list[str]:
    """A sentence for each optional neighbour that is left alone for longer than any pause after failures."""
    with closing(desk.database()) as session:
        pauses = session.execute(_PAUSES).fetchall()
    return [
        f"{name} is left alone for {pause.total_seconds():.0f} s more"
        for name, pause in pauses
        if pause is not None and pause > _MAX_PAUSE
    ]


def wait_until_exported(desk: Desk) -> list[str]:
    """Wait until the checkpoints stand at the last rows; return a sentence for each feed where that does not come."""
    behind: dict[str, tuple[int, int]] = {}

    def is_done() -> bool:
        behind.clear()
        behind.update(_behind(desk))
        return not behind

    if _seconds_until(is_done) is not None:
        return []
    return [f"{feed}: exported up to {at} of {last} after {MAX_SECONDS:.0f} s" for feed, (at, last) in behind.items()]


def _behind(desk: Desk) -> dict[str, tuple[int, int]]:
    """The feeds whose checkpoint does not stand at their last row: both positions."""
    with closing(desk.database()) as session:
        checkpoints: Counts = dict(session.execute("SELECT feed, position FROM reporting_checkpoint").fetchall())
        last = {
            key: session.execute(f"SELECT coalesce(max(position), 0) FROM {feed.table}").fetchall()[0][0]  # noqa: S608
            for key, feed in FEEDS.items()
        }
    return {key: (checkpoints.get(key, 0), last[key]) for key in FEEDS if checkpoints.get(key, 0) < last[key]}
