from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0019_repair_requests"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="action",
            field=models.TextField(
                choices=[
                    ("start_run", "Started a run"),
                    ("retry_run", "Retried a run"),
                    ("download_object", "Downloaded an object"),
                    ("download_csv", "Downloaded CSV"),
                    ("rewind_checkpoint", "Rewound a checkpoint"),
                    ("undo_rewind", "Undid a rewind"),
                    ("record_followup", "Recorded a follow-up"),
                    ("enable_destination", "Enabled a destination"),
                    ("repair_warehouse", "Repaired the warehouse"),
                    ("lock_out", "Locked out after failed sign-ins"),
                ]
            ),
        ),
        migrations.AlterField(
            model_name="auditentry",
            name="subject",
            field=models.TextField(help_text="The feed, run, provider, account or address that it was done to."),
        ),
    ]
