"""The outbox of Slack and the state of its channels."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0003_guardrail_followups")]

    operations = [
        migrations.CreateModel(
            name="SlackChannel",
            fields=[
                (
                    "fingerprint",
                    models.TextField(
                        help_text="SHA-256 of the webhook's URL.", max_length=64, primary_key=True, serialize=False
                    ),
                ),
                ("opens_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "failures",
                    models.IntegerField(default=0, help_text="Failed attempts since Slack last took a message."),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SlackMessage",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "dedupe_key",
                    models.TextField(help_text="What the message tells of, once.", max_length=200, unique=True),
                ),
                (
                    "webhook",
                    models.TextField(
                        choices=[
                            ("GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK", "Follow Ups"),
                            ("PROVIDER_AUTOMATION_SLACK_WEBHOOK", "Automation"),
                        ],
                        max_length=64,
                    ),
                ),
                ("text", models.TextField()),
                (
                    "state",
                    models.TextField(
                        choices=[("waiting", "Waiting"), ("sent", "Sent"), ("given_up", "Given Up")],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("next_attempt_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("attempts", models.IntegerField(default=0)),
                ("sent_at", models.DateTimeField(null=True)),
                ("problem", models.TextField(blank=True, help_text="What went wrong at the last attempt.")),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")),
                        fields=["next_attempt_at", "id"],
                        name="slack_messages_waiting",
                    )
                ],
            },
        ),
    ]
