from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0010_audit_log"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="exportrun",
            name="delivered_rows",
            field=models.BigIntegerField(help_text="How many of them are done, while the run goes on.", null=True),
        ),
        migrations.AddField(
            model_name="exportrun",
            name="expected_rows",
            field=models.BigIntegerField(help_text="How many rows the run found to export.", null=True),
        ),
        migrations.AddField(
            model_name="exportrun",
            name="live_metrics",
            field=models.JSONField(
                help_text="The metrics of the same events as the database counts them, to hold the status against.",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="exportrun",
            index=models.Index(fields=["state", "-created_at"], name="export_runs_by_state"),
        ),
        migrations.AddIndex(
            model_name="exportrun",
            index=models.Index(fields=["trigger", "-created_at"], name="export_runs_by_trigger"),
        ),
    ]
