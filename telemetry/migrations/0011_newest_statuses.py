from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0010_frequent_vacuum")]

    operations = [
        migrations.RemoveIndex("guardrailworkflowevent", "workflow_statuses_by_time"),
        migrations.AddIndex(
            "guardrailworkflowevent",
            models.Index(
                fields=["recorded_at", "provider_id", "position"],
                condition=models.Q(provider_id__isnull=False, guardrail_status__isnull=False),
                name="workflow_newest_statuses",
            ),
        ),
    ]
