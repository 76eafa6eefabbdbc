from django.db import migrations, models
from django.db.models.functions import Now

import reporting.models.findings


class Migration(migrations.Migration):
    dependencies = [("reporting", "0031_beat_roles")]

    operations = [
        migrations.CreateModel(
            name="HealthLook",
            fields=[
                ("id", models.IntegerField(default=1, primary_key=True, serialize=False)),
                ("begun_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "reported_at",
                    models.DateTimeField(help_text="When HEARTBEAT_URL was last called.", null=True),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Finding",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.TextField(choices=reporting.models.findings.kind_choices)),
                (
                    "feed",
                    models.TextField(blank=True, help_text="The feed's key; empty for what concerns the whole desk."),
                ),
                (
                    "since",
                    models.DateTimeField(
                        db_default=Now(), help_text="When it began, or where that is not known, was found."
                    ),
                ),
                ("sentence", models.TextField()),
                ("url", models.TextField(blank=True, help_text="The path behind its button.")),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["ended_at"], name="findings_by_end")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "feed"),
                        condition=models.Q(ended_at__isnull=True),
                        name="one_open_finding",
                    )
                ],
            },
        ),
    ]
