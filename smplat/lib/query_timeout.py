"""Queries that a page does not wait for too long."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
from django.db import OperationalError, connection, transaction


class QueryTimeoutError(Exception):
    """The database ran out of its time for a query."""


@contextmanager
def query_timeout(limit: timedelta) -> Iterator[None]:
    """Give each query of the block so much time.

    Raises:
        QueryTimeoutError: one of them needed more; other errors of the database pass as they are.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            milliseconds = f"{limit // timedelta(milliseconds=1)}ms"
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [milliseconds])
            yield
    except OperationalError as error:
        if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise
        raise QueryTimeoutError from error
