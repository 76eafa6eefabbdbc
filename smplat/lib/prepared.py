"""Prepared statements on Django's database session, for the few writes that are made at every request.

Django's cursors send each statement as text, which PostgreSQL parses and plans anew. A prepared one is planned once a
session.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from django.db import connection


def execute(statement: bytes, parameters: Sequence[Any] | Mapping[str, Any]) -> tuple[Any, ...]:
    """Execute ``statement`` and return its one row; outside of a transaction it is committed.

    Raises:
        django.db.DatabaseError: it failed.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        row = cursor.execute(statement, parameters, prepare=True).fetchone()
    assert row is not None, "the statement gives one row"
    return tuple(row)


def drop_lost_session() -> bool:
    """After a failed statement: let go of a session that the server has closed since its last use.

    Returns:
        Whether there was one, so that a statement which is safe to repeat may be tried on a new session.
    """
    is_lost = connection.connection is not None and connection.connection.closed
    if connection.in_atomic_block or not is_lost:
        return False
    connection.close()
    return True
