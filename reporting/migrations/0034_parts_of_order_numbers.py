"""An index of the triples of characters in order numbers, so that a part of one finds it.

PostgreSQL's own extension for this is not everywhere. The function is in lower case throughout, since people are.
"""

from django.db import migrations

_FUNCTION = """
CREATE FUNCTION order_number_triples(number text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT substr(lower(number), place, 3)), '{}')
    FROM generate_series(1, length(number) - 2) AS place
$$
"""
_INDEX = """
CREATE INDEX journeys_by_part_of_number ON reporting_onboardingjourney
    USING gin (order_number_triples(order_number)) WHERE order_number IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("reporting", "0033_alerts")]

    operations = [
        migrations.RunSQL(_FUNCTION, "DROP FUNCTION order_number_triples"),
        migrations.RunSQL(_INDEX, "DROP INDEX journeys_by_part_of_number"),
    ]
