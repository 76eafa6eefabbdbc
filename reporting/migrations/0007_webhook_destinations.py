"""What is remembered of webhook destinations."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0006_journeys_by_time")]

    operations = [
        migrations.CreateModel(
            name="WebhookDestination",
            fields=[
                (
                    "name",
                    models.TextField(
                        help_text="The setting or flag that holds the URL.",
                        max_length=200,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "disabled_at",
                    models.DateTimeField(help_text="Since when nothing is sent; empty while it is enabled.", null=True),
                ),
                ("reason", models.TextField(blank=True, help_text="What the receiver answered.")),
            ],
        ),
    ]
