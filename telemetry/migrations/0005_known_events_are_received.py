"""Events that were stored before the ledger began count as received and accepted."""

from django.db import migrations

_SEED = """
LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO telemetry_intaketotal (line, received, accepted, duplicates, ignored, rejected)
SELECT '{line}', count(*), count(*), 0, 0, 0 FROM {table}
"""
_LINES = {
    "telemetry.QuickOrderEvent": "telemetry_quickorderevent",
    "telemetry.GuardrailWorkflowEvent": "telemetry_guardrailworkflowevent",
}


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0004_intake_tallies")]

    operations = [
        migrations.RunSQL(
            _SEED.format(line=line, table=table),
            f"DELETE FROM telemetry_intaketotal WHERE line = '{line}'",  # noqa: S608 - a name of ours
        )
        for line, table in _LINES.items()
    ]
