"""Vacuum after a hundredth of the rows has come, where PostgreSQL would wait for a fifth.

What is read again and again are the newest rows. Until a vacuum has passed, an index alone cannot answer for them.
"""

from django.db import migrations

_TABLES = ("reporting_pricingexperimentsegment", "provider_guardrail_followup")
_NAMES = ("vacuum", "vacuum_insert", "analyze")
_SET = ", ".join(f"autovacuum_{name}_scale_factor = 0.01" for name in _NAMES)
_RESET = ", ".join(f"autovacuum_{name}_scale_factor" for name in _NAMES)


class Migration(migrations.Migration):
    dependencies = [("reporting", "0029_day_totals")]

    operations = [
        migrations.RunSQL(f"ALTER TABLE {table} SET ({_SET})", f"ALTER TABLE {table} RESET ({_RESET})")
        for table in _TABLES
    ]
