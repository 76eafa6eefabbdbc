"""A variant's name has what earlier versions took."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0026_first_conversion_snapshot")]

    operations = [
        migrations.AlterField(
            model_name="pricingexperimentsegment",
            name="variant_name",
            field=models.TextField(max_length=500, null=True),
        )
    ]
