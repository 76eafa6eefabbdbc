"""Indexes for the admin's lists of journeys and their events."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0005_automation_runs")]

    operations = [
        migrations.AddIndex(
            model_name="onboardingjourney",
            index=models.Index(fields=["created_at", "id"], name="journeys_by_time"),
        ),
        migrations.AddIndex(
            model_name="onboardingjourneyevent",
            index=models.Index(fields=["occurred_at", "id"], name="journey_events_by_time"),
        ),
    ]
