from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0012_conversion_totals"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="pricingexperimentsegment",
            name="segments_by_variant",
        ),
        migrations.AddIndex(
            model_name="pricingexperimentsegment",
            index=models.Index(fields=["slug", "recorded_at", "event_id"], name="segments_by_slug"),
        ),
        migrations.AddIndex(
            model_name="pricingexperimentsegment",
            index=models.Index(fields=["slug", "variant_key", "recorded_at", "event_id"], name="segments_by_variant"),
        ),
        migrations.AddIndex(
            model_name="pricingexperimentsegment",
            index=models.Index(fields=["variant_key", "recorded_at", "event_id"], name="segments_by_key"),
        ),
        migrations.AddIndex(
            model_name="pricingexperimentsegment",
            index=models.Index(fields=["status", "recorded_at", "event_id"], name="segments_by_status"),
        ),
        migrations.AddIndex(
            model_name="pricingexperimentsegment",
            index=models.Index(fields=["assignment_strategy", "recorded_at", "event_id"], name="segments_by_strategy"),
        ),
        migrations.AddIndex(
            model_name="pricingexperimentsegment",
            index=models.Index(fields=["order_number", "recorded_at", "event_id"], name="segments_by_number"),
        ),
    ]
