"""The totals that are there are the first snapshot, so that no count begins further back."""

from django.db import migrations

_COLUMNS = "slug, variant_key, order_count, journey_count, last_activity, last_event_id, variant_name, is_control"
_KEEP = f"""
INSERT INTO reporting_conversionsnapshot (position, {_COLUMNS})
SELECT fold.position, {_COLUMNS} FROM reporting_conversiontotal CROSS JOIN reporting_conversionfold AS fold
"""  # noqa: S608 - names of ours


class Migration(migrations.Migration):
    dependencies = [("reporting", "0025_conversion_snapshots")]

    operations = [migrations.RunSQL(_KEEP, "DELETE FROM reporting_conversionsnapshot")]
