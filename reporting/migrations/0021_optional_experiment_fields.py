"""Experiments need a slug and a variant key alone, and texts hold 255 characters."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0020_lock_outs"),
    ]

    operations = [
        migrations.AlterField(
            model_name="conversiontotal",
            name="is_control",
            field=models.BooleanField(null=True),
        ),
        migrations.AlterField(
            model_name="conversiontotal",
            name="slug",
            field=models.TextField(max_length=255),
        ),
        migrations.AlterField(
            model_name="conversiontotal",
            name="variant_key",
            field=models.TextField(help_text="Empty for the experiment as a whole.", max_length=255, null=True),
        ),
        migrations.AlterField(
            model_name="conversiontotal",
            name="variant_name",
            field=models.TextField(max_length=255, null=True),
        ),
        migrations.AlterField(
            model_name="pricingexperimentsegment",
            name="assignment_strategy",
            field=models.TextField(max_length=255, null=True),
        ),
        migrations.AlterField(
            model_name="pricingexperimentsegment",
            name="feature_flag_key",
            field=models.TextField(max_length=255, null=True),
        ),
        migrations.AlterField(
            model_name="pricingexperimentsegment",
            name="is_control",
            field=models.BooleanField(null=True),
        ),
        migrations.AlterField(
            model_name="pricingexperimentsegment",
            name="slug",
            field=models.TextField(max_length=255),
        ),
        migrations.AlterField(
            model_name="pricingexperimentsegment",
            name="status",
            field=models.TextField(max_length=255, null=True),
        ),
        migrations.AlterField(
            model_name="pricingexperimentsegment",
            name="variant_key",
            field=models.TextField(max_length=255),
        ),
        migrations.AlterField(
            model_name="pricingexperimentsegment",
            name="variant_name",
            field=models.TextField(max_length=255, null=True),
        ),
    ]
