"""What was found when the warehouse was held against the desk."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0015_known_rows_are_received")]

    operations = [
        migrations.CreateModel(
            name="ParityCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("target", models.TextField(help_text="The warehouse, without a secret.")),
                ("since", models.DateField(help_text="The first UTC day that was compared.")),
                (
                    "until",
                    models.DateField(help_text="The last UTC day that was compared; empty for no last day.", null=True),
                ),
                (
                    "state",
                    models.TextField(choices=[("equal", "Equal"), ("differs", "Differs"), ("failed", "Failed")]),
                ),
                (
                    "remainder",
                    models.BigIntegerField(default=0, help_text="What the equations of the ledger leave over."),
                ),
                ("figures", models.JSONField(default=dict, help_text="What was found, by feed.")),
                ("problem", models.TextField(blank=True)),
            ],
            options={
                "indexes": [models.Index(fields=["-at"], name="parity_checks_by_time")],
            },
        ),
    ]
