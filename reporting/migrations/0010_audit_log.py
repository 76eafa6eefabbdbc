import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0009_slack_of_exports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("username", models.TextField(help_text="The operator's name at the time; it outlives the account.")),
                (
                    "action",
                    models.TextField(
                        choices=[
                            ("start_run", "Started a run"),
                            ("retry_run", "Retried a run"),
                            ("download_object", "Downloaded an object"),
                            ("download_csv", "Downloaded CSV"),
                            ("rewind_checkpoint", "Rewound a checkpoint"),
                            ("undo_rewind", "Undid a rewind"),
                            ("record_followup", "Recorded a follow-up"),
                            ("enable_destination", "Enabled a destination"),
                            ("repair_warehouse", "Repaired the warehouse"),
                        ]
                    ),
                ),
                ("subject", models.TextField(help_text="The feed, run or provider that it was done to.")),
                ("details", models.JSONField(default=dict)),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit log",
                "indexes": [
                    models.Index(fields=["username", "-id"], name="audit_by_user"),
                    models.Index(fields=["subject", "-id"], name="audit_by_subject"),
                ],
            },
        ),
    ]
