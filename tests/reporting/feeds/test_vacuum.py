"""Tables of feeds are vacuumed long before a fifth of them has changed, PostgreSQL's own measure."""

import pytest
from django.db import connection

from reporting.feeds import FEEDS
from reporting.feeds.shapes import model_of


@pytest.mark.django_db
@pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))
def test_a_hundredth_is_enough(feed):
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", [model_of(feed)._meta.db_table])
        (options,) = cursor.fetchone()

    assert options == [f"autovacuum_{name}_scale_factor=0.01" for name in ("vacuum", "vacuum_insert", "analyze")]
