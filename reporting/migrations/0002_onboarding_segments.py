"""Onboarding journeys, their events, and the pricing-experiment segments that mirror them."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0001_export_runs")]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE reporting_pricingexperimentsegment_position",
            "DROP SEQUENCE reporting_pricingexperimentsegment_position",
        ),
        migrations.CreateModel(
            name="OnboardingJourney",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("order_id", models.UUIDField(unique=True)),
                ("order_number", models.TextField(blank=True, max_length=100, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="OnboardingJourneyEvent",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("order_id", models.UUIDField()),
                ("event_type", models.TextField(max_length=100)),
                ("metadata", models.JSONField(default=dict)),
                ("occurred_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "journey",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="events",
                        to="reporting.onboardingjourney",
                    ),
                ),
            ],
            options={
                "db_table": "onboarding_journey_events",
            },
        ),
        migrations.CreateModel(
            name="PricingExperimentSegment",
            fields=[
                ("event_id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("journey_id", models.UUIDField()),
                ("order_id", models.UUIDField()),
                ("order_number", models.TextField(max_length=100, null=True)),
                ("slug", models.TextField(max_length=200)),
                ("variant_key", models.TextField(max_length=200)),
                ("variant_name", models.TextField(max_length=500, null=True)),
                ("is_control", models.BooleanField()),
                ("status", models.TextField(max_length=64)),
                ("feature_flag_key", models.TextField(max_length=200, null=True)),
                ("assignment_strategy", models.TextField(max_length=200, null=True)),
                ("recorded_at", models.DateTimeField()),
                (
                    "position",
                    models.BigIntegerField(
                        db_default=models.Func(
                            models.Value("reporting_pricingexperimentsegment_position"), function="nextval"
                        ),
                        editable=False,
                        unique=True,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["recorded_at", "event_id"], name="segments_by_time"),
                    models.Index(fields=["order_id"], name="segments_by_order"),
                    models.Index(fields=["slug", "variant_key"], name="segments_by_variant"),
                ],
            },
        ),
        migrations.RunSQL(
            "ALTER SEQUENCE reporting_pricingexperimentsegment_position "
            "OWNED BY reporting_pricingexperimentsegment.position",
            "ALTER SEQUENCE reporting_pricingexperimentsegment_position OWNED BY NONE",
        ),
    ]
