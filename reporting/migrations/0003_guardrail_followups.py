"""Guardrail follow-ups, provider states and idempotency keys."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0002_onboarding_segments")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE provider_guardrail_followup_position", "DROP SEQUENCE provider_guardrail_followup_position"
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                ("key", models.TextField(max_length=200, primary_key=True, serialize=False)),
                ("fingerprint", models.TextField(help_text="SHA-256 of the body that the key came with.")),
                ("answer", models.JSONField(null=True)),
                ("created_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="ProviderGuardrailStatus",
            fields=[
                ("provider_id", models.TextField(max_length=200, primary_key=True, serialize=False)),
                ("provider_name", models.TextField(max_length=500, null=True)),
                ("is_paused", models.BooleanField(default=False)),
                ("last_action", models.TextField(max_length=16, null=True)),
                ("updated_at", models.DateTimeField(null=True)),
                ("last_follow_up_id", models.UUIDField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="GuardrailFollowUp",
            fields=[
                (
                    "follow_up_id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("provider_id", models.TextField(max_length=200)),
                ("provider_name", models.TextField(max_length=500, null=True)),
                (
                    "action",
                    models.TextField(
                        choices=[("pause", "Pause"), ("resume", "Resume"), ("escalate", "Escalate")], max_length=16
                    ),
                ),
                ("notes", models.TextField(max_length=500, null=True)),
                ("platform_context_id", models.TextField(max_length=200, null=True)),
                ("platform_context_label", models.TextField(max_length=200, null=True)),
                ("platform_context_handle", models.TextField(max_length=200, null=True)),
                ("platform_context_type", models.TextField(max_length=200, null=True)),
                ("conversion_cursor", models.TextField(max_length=500, null=True)),
                ("conversion_href", models.TextField(max_length=2000, null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "position",
                    models.BigIntegerField(
                        db_default=models.Func(
                            models.Value("provider_guardrail_followup_position"), function="nextval"
                        ),
                        editable=False,
                        unique=True,
                    ),
                ),
            ],
            options={
                "db_table": "provider_guardrail_followup",
                "indexes": [
                    models.Index(fields=["created_at", "follow_up_id"], name="followups_by_time"),
                    models.Index(fields=["provider_id", "created_at", "follow_up_id"], name="followups_by_provider"),
                ],
            },
        ),
        migrations.RunSQL(
            "ALTER SEQUENCE provider_guardrail_followup_position OWNED BY provider_guardrail_followup.position",
            "ALTER SEQUENCE provider_guardrail_followup_position OWNED BY NONE",
        ),
    ]
