"""Adds a column that old code does not know to each table that clients write to."""

from django.db import migrations

from tests.faults.checker.feeds import FEEDS


class Migration(migrations.Migration):
    dependencies = [("reporting", "0003_guardrail_followups"), ("telemetry", "0001_telemetry_events")]
    operations = [
        migrations.RunSQL(
            f"ALTER TABLE {feed.table} ADD COLUMN of_a_newer_release text",
            f"ALTER TABLE {feed.table} DROP COLUMN of_a_newer_release",
        )
        for feed in FEEDS.values()
    ]
