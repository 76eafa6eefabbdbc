"""An index over the guardrail statuses that workflow events report."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0001_telemetry_events")]

    operations = [
        migrations.AddIndex(
            model_name="guardrailworkflowevent",
            index=models.Index(
                condition=models.Q(("guardrail_status__isnull", False), ("provider_id__isnull", False)),
                fields=["recorded_at"],
                name="workflow_statuses_by_time",
            ),
        ),
    ]
