"""The ledger's totals of rows, and what retention has pruned."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0013_segment_filters")]

    operations = [
        migrations.CreateModel(
            name="RowTotal",
            fields=[
                ("feed", models.TextField(primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(default=0)),
                ("rows", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="ExpiredDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("feed", models.TextField()),
                ("day", models.DateField(help_text="The UTC day of the rows' time column.")),
                ("rows", models.BigIntegerField()),
                ("id_sum", models.DecimalField(decimal_places=0, max_digits=38)),
                ("content_sum", models.DecimalField(decimal_places=0, max_digits=38)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("feed", "day"), name="one_expired_day")],
            },
        ),
    ]
