"""The ledger's tallies of requests, and their totals."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0003_quick_orders_by_time")]

    operations = [
        migrations.CreateModel(
            name="IntakeTally",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "line",
                    models.TextField(help_text="The label of the model whose rows were asked for; empty for no feed."),
                ),
                ("received", models.IntegerField()),
                ("accepted", models.IntegerField()),
                ("duplicates", models.IntegerField()),
                ("ignored", models.IntegerField()),
                ("rejected", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="IntakeTotal",
            fields=[
                ("line", models.TextField(primary_key=True, serialize=False)),
                ("received", models.BigIntegerField()),
                ("accepted", models.BigIntegerField()),
                ("duplicates", models.BigIntegerField()),
                ("ignored", models.BigIntegerField()),
                ("rejected", models.BigIntegerField()),
            ],
        ),
    ]
