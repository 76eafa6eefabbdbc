"""The ledger counts the events that came without an id."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("telemetry", "0007_forwards"),
    ]

    operations = [
        migrations.AddField(
            model_name="intaketally",
            name="minted",
            field=models.IntegerField(db_default=0, help_text="Of the accepted, those that came without an id."),
        ),
        migrations.AddField(
            model_name="intaketotal",
            name="minted",
            field=models.BigIntegerField(db_default=0),
        ),
    ]
