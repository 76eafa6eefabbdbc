"""The Celery application: background tasks, and the schedule that the feeds declare."""

import os
from pathlib import Path

from celery import Celery
from celery.schedules import crontab
from django.conf import settings

from reporting.feeds import FEEDS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smplat.settings")

app = Celery("smplat")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    **{
        f"export {feed.key}": {
            "task": "reporting.export_on_schedule",
            "args": [feed.key],
            "schedule": crontab(minute=feed.schedule_minutes),
            # A run that no worker picked up before the next one is due is not worth a queue of them.
            "options": {"expires": 1_500},
        }
        for feed in FEEDS.values()
    },
    "close crashed runs": {
        "task": "reporting.close_crashed_runs",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "fold conversions": {
        "task": "reporting.fold_conversions",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "fold ledger": {
        "task": "reporting.fold_ledger",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "deliver slack": {
        "task": "reporting.deliver_slack",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "provider automation alerts": {
        "task": "reporting.alert_on_providers",
        "schedule": crontab(minute=25),
        "options": {"expires": 1_500},
    },
    "retention": {"task": "reporting.apply_retention", "schedule": crontab(hour=3, minute=40)},
}


@app.on_after_configure.connect
def _schedule_the_load(sender: Celery, **_: object) -> None:
    """Load the warehouse every hour where there is one; the settings cannot be read before."""
    if settings.WAREHOUSE_URL:
        sender.conf.beat_schedule["load warehouse"] = {
            "task": "reporting.load_warehouse",
            "schedule": crontab(minute=25),
            "options": {"expires": 1_500},
        }


@app.on_after_configure.connect
def _make_broker_folders(sender: Celery, **_: object) -> None:
    """Make the folders of the filesystem broker, which writes messages but not their folder."""
    for option in ("data_folder_in", "control_folder"):
        if folder := sender.conf.broker_transport_options.get(option):
            Path(folder).mkdir(parents=True, exist_ok=True)
