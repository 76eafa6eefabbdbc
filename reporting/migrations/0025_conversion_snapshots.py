from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0024_queue_filters"),
    ]

    operations = [
        migrations.CreateModel(
            name="ConversionSnapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.TextField(max_length=255)),
                (
                    "variant_key",
                    models.TextField(help_text="Empty for the experiment as a whole.", max_length=255, null=True),
                ),
                ("order_count", models.BigIntegerField()),
                ("journey_count", models.BigIntegerField()),
                ("last_activity", models.DateTimeField()),
                ("last_event_id", models.UUIDField(help_text="The newest assignment, which gives name and cohort.")),
                ("variant_name", models.TextField(max_length=255, null=True)),
                ("is_control", models.BooleanField(null=True)),
                ("position", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("position", "slug", "variant_key"),
                        name="one_snapshot_per_variant",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
    ]
