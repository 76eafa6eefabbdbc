"""Totals of quick orders and assignments by day. The running version neither knows them nor is held up."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0028_shared_cache"),
    ]

    operations = [
        migrations.AddField(
            model_name="rowtotal",
            name="days_position",
            field=models.BigIntegerField(
                db_default=0, default=0, help_text="The last position that the totals by day count."
            ),
        ),
        migrations.CreateModel(
            name="DayTotal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("feed", models.TextField()),
                ("name", models.TextField(help_text="The name of an event, or the slug of an experiment.")),
                ("day", models.DateField(help_text="The UTC day of the rows' time column.")),
                ("rows", models.BigIntegerField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("feed", "name", "day"), name="one_total_per_day")],
            },
        ),
    ]
