from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0023_plurals_of_names")]

    operations = [
        migrations.AddIndex(
            "guardrailfollowup",
            models.Index(fields=["platform_context_id", "created_at", "follow_up_id"], name="followups_by_platform"),
        ),
        migrations.AddIndex(
            "providerguardrailstatus",
            models.Index(fields=["provider_id"], condition=models.Q(is_paused=True), name="paused_providers"),
        ),
    ]
