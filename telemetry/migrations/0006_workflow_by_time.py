"""An index over the times of workflow events, by which parity reads the days."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0005_known_events_are_received")]

    operations = [
        migrations.AddIndex(
            model_name="guardrailworkflowevent",
            index=models.Index(fields=["recorded_at"], name="workflow_by_time"),
        ),
    ]
