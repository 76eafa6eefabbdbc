"""The backlog of bodies that are to be forwarded, and the circuit breaker of the endpoint."""

from django.db import migrations, models
from django.db.models.functions import Mod, Now


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0006_workflow_by_time")]

    operations = [
        migrations.CreateModel(
            name="ForwardBreaker",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "asked_from",
                    models.DateTimeField(db_default=Now(), help_text="Nobody asks before; one who asks moves it."),
                ),
                (
                    "failures",
                    models.IntegerField(default=0, help_text="Rounds that failed since one last did not."),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Forward",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "place",
                    models.GeneratedField(
                        db_persist=True,
                        expression=Mod("id", 10_000),
                        output_field=models.IntegerField(),
                        unique=True,
                    ),
                ),
                ("content", models.BinaryField()),
                ("content_type", models.TextField()),
                ("attempts", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField(db_default=Now())),
                ("next_attempt_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "indexes": [models.Index(fields=["next_attempt_at", "id"], name="forwards_by_next_attempt")],
            },
        ),
    ]
