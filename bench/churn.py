"""An hour of traffic at a hundred times its speed: what our settings of autovacuum leave behind, and PostgreSQL's own.

Capture adds rows at the end of a table of a million, retention takes as many away at its beginning, and autovacuum
looks 60 times as often as it does by default. Then the newest rows are counted by their positions, as pages do.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.page_costs import nodes
from bench.ratio import Ratio
from tests.e2e.desk import Desk

_TABLE = "telemetry_quickorderevent"
_ROWS, _SPEED = 1_000_000, 100
_HOUR_SECONDS = 3_600 / _SPEED
#: Events a second of a busy shop, at that speed.
_RATE = 10 * _SPEED
_INSERT = f"""INSERT INTO {_TABLE} (event_id, recorded_at, metadata, event, event_name)
SELECT gen_random_uuid(), clock_timestamp(), '{{}}', '{{"source": "bench"}}', 'quick_order.start'
FROM generate_series(1, %s)"""
_DELETE = f"DELETE FROM {_TABLE} WHERE position IN (SELECT position FROM {_TABLE} ORDER BY position LIMIT %s)"
_NEWEST = f"""EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM {_TABLE}
WHERE position > (SELECT max(position) - %s FROM {_TABLE})"""
_OPTIONS = f"SELECT reloptions FROM pg_class WHERE oid = '{_TABLE}'::regclass"
_DEAD = f"SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = '{_TABLE}'"


@dataclass(frozen=True)
class _Left:
    """What an hour has left.

    Attributes:
        dead: rows that are dead.
        fetches: how often a count of the newest rows had to look into the table.
        rate: rows a second that were added, and as many taken away.
    """

    dead: int
    fetches: int
    rate: float


def measure(desk: Desk) -> Iterator[Ratio]:
    """Spend an hour with PostgreSQL's settings and one with ours, on the same table."""
    with desk.database() as session:
        session.autocommit = True
        session.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        session.execute("SELECT pg_reload_conf()")
        session.execute(_INSERT, [_ROWS])
        ours = [option for (options,) in session.execute(_OPTIONS).fetchall() for option in options]
        names = [option.partition("=")[0] for option in ours]
        theirs = _hour(session, f"RESET ({', '.join(names)})")
        left = _hour(session, f"SET ({', '.join(ours)})")
    detail = f"{left.dead:,} and {theirs.dead:,} rows"
    yield Ratio("dead rows after an hour, our settings / PostgreSQL's", left.dead / theirs.dead, 0.75, False, detail)
    detail = f"{left.fetches:,} and {theirs.fetches:,} for {_RATE * int(_HOUR_SECONDS):,} rows"
    yield Ratio("looks into the table, our settings / PostgreSQL's", left.fetches / theirs.fetches, 0.75, False, detail)
    detail = f"{left.rate:,.0f} and {theirs.rate:,.0f} rows/s"
    yield Ratio("rows added and taken away, our settings / PostgreSQL's", left.rate / theirs.rate, 0.9, True, detail)


def _hour(session: "psycopg.Connection[Any]", settings: str) -> _Left:
    session.execute(f"ALTER TABLE {_TABLE} {settings}")
    session.execute(f"VACUUM ANALYZE {_TABLE}")
    batch, done, started = _RATE // 10, 0, time.monotonic()
    while (passed := time.monotonic() - started) < _HOUR_SECONDS:
        if done >= passed * _RATE:
            time.sleep(0.01)
            continue
        session.execute(_INSERT, [batch])
        session.execute(_DELETE, [batch])
        done += batch
    # What the last transactions did is counted with a delay.
    time.sleep(2)
    ((dead,),) = session.execute(_DEAD).fetchall()
    ((plan,),) = session.execute(_NEWEST, [done]).fetchall()
    return _Left(dead, sum(node.get("Heap Fetches", 0) for node in nodes(plan[0]["Plan"])), done / passed)
