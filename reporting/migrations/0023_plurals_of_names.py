from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("reporting", "0022_followup_attachments")]

    operations = [
        migrations.AlterModelOptions("auditentry", {"verbose_name_plural": "audit entries"}),
        migrations.AlterModelOptions("providerguardrailstatus", {"verbose_name_plural": "provider guardrail statuses"}),
    ]
