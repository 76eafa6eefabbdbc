from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0011_run_progress"),
    ]

    operations = [
        migrations.CreateModel(
            name="ConversionFold",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(default=0, help_text="The last position that the totals count.")),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="one_conversion_fold")],
            },
        ),
        migrations.CreateModel(
            name="ConversionTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("slug", models.TextField(max_length=200)),
                (
                    "variant_key",
                    models.TextField(help_text="Empty for the experiment as a whole.", max_length=200, null=True),
                ),
                ("order_count", models.BigIntegerField()),
                ("journey_count", models.BigIntegerField()),
                ("last_activity", models.DateTimeField()),
                ("last_event_id", models.UUIDField(help_text="The newest assignment, which gives name and cohort.")),
                ("variant_name", models.TextField(max_length=500, null=True)),
                ("is_control", models.BooleanField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("slug", "variant_key"), name="one_total_per_variant", nulls_distinct=False
                    )
                ],
            },
        ),
    ]
