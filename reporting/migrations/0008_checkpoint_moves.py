"""The history of the checkpoints, and the permission to rewind one."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

_FEEDS = [
    ("quick_order", "Quick-order telemetry"),
    ("guardrail_workflow", "Guardrail workflow telemetry"),
    ("onboarding_segments", "Onboarding pricing experiment segments"),
    ("guardrail_followups", "Guardrail follow-ups"),
]


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("reporting", "0007_webhook_destinations"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="checkpoint",
            options={"permissions": [("rewind_checkpoint", "Can rewind a checkpoint, and undo its moves")]},
        ),
        migrations.CreateModel(
            name="CheckpointMove",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("feed", models.TextField(choices=_FEEDS)),
                (
                    "from_position",
                    models.BigIntegerField(help_text="Empty for the first move of a feed.", null=True),
                ),
                ("from_cursor", models.DateTimeField(null=True)),
                ("to_position", models.BigIntegerField()),
                ("to_cursor", models.DateTimeField()),
                (
                    "reason",
                    models.TextField(choices=[("export", "Export"), ("rewind", "Rewind"), ("undo", "Undo")]),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "run",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="checkpoint_moves",
                        to="reporting.exportrun",
                    ),
                ),
                (
                    "undoes",
                    models.OneToOneField(
                        blank=True,
                        help_text="The move it takes back.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="undone_by",
                        to="reporting.checkpointmove",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["feed", "-id"], name="checkpoint_moves_by_feed")],
            },
        ),
    ]
