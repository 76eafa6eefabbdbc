"""What a COPY sends, read as fast as libpq gives it.

psycopg reads one row a call and waits in a generator each time. An export of a million rows spends as long in that as
PostgreSQL does in writing them, so here the rows that have arrived are taken together.
"""

import selectors
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from django.db import connection
from psycopg import pq, sql

#: Enough that the work per block does not show, and little enough to stay in the processor's cache.
BLOCK_BYTES = 65_536


def copied(query: sql.Composable, parameters: Sequence[Any] | None = None) -> Iterator[list[memoryview]]:
    """Stream the rows of a ``COPY … TO STDOUT``, some at a time, each as the server sent it.

    The database session is taken until the last row was read. Where the reader goes away before, the statement is
    cancelled.

    Args:
        query: the statement.
        parameters: values for its placeholders.

    Raises:
        django.db.DatabaseError: it failed.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor, cursor.copy(query, parameters):
        yield from _rows(connection.connection.pgconn)


def _rows(session: pq.abc.PGconn) -> Iterator[list[memoryview]]:
    rows: list[memoryview] = []
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(session.socket, selectors.EVENT_READ)
        # Asynchronous, so that other threads go on meanwhile, and Ctrl-C is heard.
        while (length := (message := session.get_copy_data(1))[0]) >= 0:
            if length == 0:
                selector.select()
                session.consume_input()
                continue
            rows.append(message[1])
            size += length
            if size >= BLOCK_BYTES:
                yield rows
                rows, size = [], 0
    _end(session)
    if rows:
        yield rows


def _end(session: pq.abc.PGconn) -> None:
    """Take what follows the last row: whether the statement has succeeded."""
    while (result := session.get_result()) is not None:
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(result)
