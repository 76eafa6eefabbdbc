"""Commit-safe reading of a feed's rows by position.

A position is drawn from a sequence when a row is inserted, but rows become visible in the order of their commits. So
the newest visible position says nothing about smaller ones that are still to come. :func:`fence` gives a position up
to which everything is settled; docs/adr/0002-positions-and-fence.md tells why it is sound.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Model
from psycopg import sql

from reporting.feeds import FEEDS
from reporting.feeds.shapes import model_of

_POLL_SECONDS = 0.02
#: How long an export waits for writers before it gives up.
FENCE_TIMEOUT = timedelta(seconds=60)


class FenceTimeoutError(RuntimeError):
    """Writers of the table did not end in time, so that no new position is known to be settled."""


def fence(model: type[Model], timeout: timedelta) -> int:
    """Return a position up to which no row of ``model`` can appear any more; 0 for an empty sequence.

    Reads the sequence first, then which transactions may write the table, and waits for just those to end. A writer
    takes its table lock before it draws a position, so one that is not seen here draws a later position than the one
    read. Nobody is blocked meanwhile.

    Args:
        model: the model to read; its ``position`` is drawn from a sequence that the column owns.
        timeout: how long to wait for the writers under way.

    Raises:
        FenceTimeoutError: some of them were still under way after ``timeout``; the message names their backends.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'position')", [table])
        sequence = cursor.fetchone()[0]
        cursor.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(*sequence.split("."))))
        position, is_called = cursor.fetchone()
    _wait_for(_writers(table), table, timeout)
    return position if is_called else 0


def settled_position(feed: str) -> int | None:
    """The same for the rows of ``feed``, without waiting: None while writers are under way."""
    position = last_position(feed)
    return None if _writers(model_of(FEEDS[feed])._meta.db_table) else position


def settled_before(model: type[Model]) -> datetime:
    """Return a time before which no row of ``model`` can appear any more; waits for nobody.

    Holds for rows whose time was taken by :func:`write_time`, or by ``clock_timestamp()`` within their INSERT: a writer
    that is under way has begun before it took its time, and one that is not seen here takes a later time than the
    statement's own. It relies on the database server's clock not being set back.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least(statement_timestamp(), min(activity.xact_start)) FROM pg_locks"
            " JOIN pg_stat_activity AS activity USING (pid)"
            " WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND pid <> pg_backend_pid()",
            [model._meta.db_table],
        )
        moment: datetime = cursor.fetchone()[0]
    return moment


@dataclass(frozen=True)
class Writer:
    """A transaction that has written to a table and has not ended.

    Attributes:
        table: the table.
        pid: the process id of its database backend.
        since: when the transaction began.
    """

    table: str
    pid: int
    since: datetime


def long_writers(models: Iterable[type[Model]], age: timedelta) -> list[Writer]:
    """Writers of the tables of ``models`` that are older than ``age``, and so hold exports back; the oldest first."""
    tables = [model._meta.db_table for model in models]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT relation::regclass::text, pid, xact_start FROM pg_locks"
            " JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'relation' AND relation = ANY(%s::regclass[]) AND mode = 'RowExclusiveLock' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND xact_start < statement_timestamp() - make_interval(secs => %s) ORDER BY xact_start",
            [tables, age.total_seconds()],
        )
        return [Writer(*row) for row in cursor.fetchall()]


def write_time(model: type[Model]) -> datetime:
    """Announce the current transaction as a writer of ``model``, and return the database's time after that.

    A row that carries this time cannot appear before what :func:`settled_before` has returned. The lock is the one
    that INSERT takes; it keeps no other writer waiting.
    """
    with connection.cursor() as cursor:
        table = sql.Identifier(model._meta.db_table)
        cursor.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE; SELECT clock_timestamp()").format(table))
        cursor.nextset()
        moment: datetime = cursor.fetchone()[0]
    return moment


def _wait_for(writers: dict[str, int], table: str, timeout: timedelta) -> None:
    deadline = time.monotonic() + timeout.total_seconds()
    under_way = writers
    while under_way:
        if time.monotonic() > deadline:
            backends = ", ".join(str(pid) for pid in sorted(under_way.values()))
            raise FenceTimeoutError(
                f"the table {table} is held back by unfinished writers (database process {backends})"
            )
        time.sleep(_POLL_SECONDS)
        still_there = _writers(table)
        under_way = {transaction: pid for transaction, pid in under_way.items() if transaction in still_there}


def _writers(table: str) -> dict[str, int]:
    """Virtual ids of the transactions that may write ``table``, with the process ids of their backends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualtransaction, pid FROM pg_locks WHERE locktype = 'relation' AND relation = %s::regclass"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND mode = 'RowExclusiveLock' AND granted AND pid <> pg_backend_pid()",
            [table],
        )
        return dict(cursor.fetchall())


def last_position(feed: str) -> int:
    """The last position that was drawn for a row of ``feed``, committed or not; 0 before the first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(%s, 'position')::regclass), 0)",
            [model_of(FEEDS[feed])._meta.db_table],
        )
        return int(cursor.fetchone()[0])
