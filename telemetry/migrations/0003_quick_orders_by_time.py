from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("telemetry", "0002_workflow_statuses"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="quickorderevent",
            index=models.Index(fields=["recorded_at", "event_name"], name="quick_orders_by_time"),
        ),
    ]
