"""Export runs with their logs, and checkpoints."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                (
                    "feed",
                    models.TextField(
                        choices=[
                            ("quick_order", "Quick-order telemetry"),
                            ("guardrail_workflow", "Guardrail workflow telemetry"),
                            ("onboarding_segments", "Onboarding pricing experiment segments"),
                            ("guardrail_followups", "Guardrail follow-ups"),
                        ],
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("position", models.BigIntegerField()),
                ("cursor", models.DateTimeField(help_text="Time of the last exported row.")),
                ("rows", models.BigIntegerField(help_text="Rows of the run that moved the checkpoint.")),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="ExportRun",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "feed",
                    models.TextField(
                        choices=[
                            ("quick_order", "Quick-order telemetry"),
                            ("guardrail_workflow", "Guardrail workflow telemetry"),
                            ("onboarding_segments", "Onboarding pricing experiment segments"),
                            ("guardrail_followups", "Guardrail follow-ups"),
                        ]
                    ),
                ),
                (
                    "trigger",
                    models.TextField(
                        choices=[("schedule", "Schedule"), ("operator", "Operator"), ("command", "Command")]
                    ),
                ),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                            ("skipped", "Skipped"),
                        ],
                        default="queued",
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("rows", models.BigIntegerField(null=True)),
                ("bytes", models.BigIntegerField(null=True)),
                ("checkpoint_before", models.JSONField(null=True)),
                ("checkpoint_after", models.JSONField(null=True)),
                ("object_uri", models.TextField(blank=True)),
                ("status", models.JSONField(help_text="The status JSON that the run wrote.", null=True)),
                ("error", models.TextField(blank=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "permissions": [
                    ("export_data", "Can download exports and CSV files"),
                    ("start_exportrun", "Can start an export"),
                ],
            },
        ),
        migrations.CreateModel(
            name="RunLogLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("message", models.TextField()),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="log_lines", to="reporting.exportrun"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.AddIndex(
            model_name="exportrun",
            index=models.Index(fields=["feed", "-created_at"], name="export_runs_by_feed"),
        ),
        migrations.AddIndex(
            model_name="exportrun",
            index=models.Index(
                condition=models.Q(("state", "succeeded")), fields=["feed", "-created_at"], name="export_runs_succeeded"
            ),
        ),
        migrations.AddIndex(
            model_name="exportrun",
            index=models.Index(fields=["-created_at"], name="export_runs_by_time"),
        ),
        migrations.AddConstraint(
            model_name="exportrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "running")), fields=("feed",), name="one_running_export_per_feed"
            ),
        ),
    ]
