"""Statements that are made at every request are planned once a session."""

import pytest
from django.db import connection

from smplat.lib import prepared

STATEMENT = b"SELECT 'a statement of this test'"


@pytest.mark.django_db
def test_a_statement_is_prepared_when_it_is_first_executed():
    for _ in range(2):
        prepared.execute(STATEMENT, [])

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement = %s", [STATEMENT.decode()])
        assert cursor.fetchone() == (1,)
