"""How many of the ledger's rows came by an import."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telemetry", "0008_minted_ids")]

    operations = [
        migrations.CreateModel(
            name="ImportTotal",
            fields=[
                ("line", models.TextField(primary_key=True, serialize=False)),
                ("rows", models.BigIntegerField()),
            ],
        ),
    ]
