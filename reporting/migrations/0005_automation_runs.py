"""Runs of the provider automation alert worker."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0004_slack_outbox")]

    operations = [
        migrations.CreateModel(
            name="AutomationRun",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("ran_at", models.DateTimeField()),
                ("summary", models.JSONField(help_text="How many alerts there were.")),
                ("metadata", models.JSONField(help_text="The alerts, and the workflow summary that was read.")),
            ],
            options={
                "indexes": [models.Index(fields=["-ran_at", "-id"], name="automation_runs_by_time")],
            },
        ),
    ]
