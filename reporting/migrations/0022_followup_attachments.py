"""Follow-ups keep what was sent with them, and links that a long cursor makes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0021_optional_experiment_fields"),
    ]

    operations = [
        migrations.AddField(
            model_name="guardrailfollowup",
            name="attachments",
            field=models.JSONField(help_text="What the client sent with it, as it was sent.", null=True),
        ),
        migrations.AlterField(
            model_name="guardrailfollowup",
            name="conversion_href",
            field=models.TextField(max_length=8000, null=True),
        ),
    ]
