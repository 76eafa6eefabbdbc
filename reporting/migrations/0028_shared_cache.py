"""What the web processes have to agree on, in a table of Django's database cache."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("reporting", "0027_longer_variant_names")]

    operations = [
        migrations.RunSQL(
            """
            CREATE TABLE IF NOT EXISTS smplat_cache (
                cache_key varchar(255) PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL
            );
            CREATE INDEX IF NOT EXISTS smplat_cache_expires ON smplat_cache (expires);
            """,
            "DROP TABLE smplat_cache",
        )
    ]
