"""The Celery application: background tasks, and the schedule that the feeds declare."""

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import worker_ready
from django.conf import settings

from reporting.feeds import FEEDS
from reporting.feeds.schedule import AUTOMATION_MINUTES
from smplat import folder_broker  # noqa: F401

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smplat.settings")
# Celery has each process make Django's checks as it starts, and passes over what they find.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("smplat")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A run that no worker picked up before the next one is due is not worth a queue of them.
_HOURLY_EXPIRES = 1_500


def _job(task: str, schedule: crontab | float, expires: int | None = None, *arguments: str) -> dict[str, Any]:
    """An entry of beat's schedule.

    Args:
        task: the task's name.
        schedule: when it runs, in UTC; or the seconds between two runs, after which it also expires.
        expires: seconds after which a worker no longer begins it.
        arguments: what the task is given.
    """
    expires = int(schedule) if isinstance(schedule, float) else expires
    return {"task": task, "schedule": schedule, "args": arguments, "options": {"expires": expires} if expires else {}}


app.conf.beat_schedule = {
    **{
        f"export {feed.key}": _job(
            "reporting.export_on_schedule", crontab(minute=feed.schedule_minutes), _HOURLY_EXPIRES, feed.key
        )
        for feed in FEEDS.values()
    },
    "close crashed runs": _job("reporting.close_crashed_runs", 60.0),
    "fold conversions": _job("reporting.fold_conversions", 60.0),
    "fold ledger": _job("reporting.fold_ledger", 60.0),
    "deliver slack": _job("reporting.deliver_slack", 30.0),
    "provider automation alerts": _job(
        "reporting.alert_on_providers", crontab(minute=AUTOMATION_MINUTES), _HOURLY_EXPIRES
    ),
    "retention": _job("reporting.apply_retention", crontab(hour=3, minute=40)),
}


@app.on_after_configure.connect
def _schedule_what_is_set(sender: Celery, **_: object) -> None:
    """Load the warehouse and forward bodies where there is one to load or forward to; settings come after imports."""
    if settings.TELEMETRY_ENDPOINT:
        sender.conf.beat_schedule["forward telemetry"] = _job("telemetry.deliver_forwards", 5.0)
    if settings.WAREHOUSE_URL:
        load = _job("reporting.load_warehouse", crontab(minute=25), _HOURLY_EXPIRES)
        sender.conf.beat_schedule["load warehouse"] = load
        # Operators' requests are queued at once; this finds those that no broker took.
        sender.conf.beat_schedule["repair warehouse"] = _job("reporting.repair_warehouse", 60.0)


@app.on_after_configure.connect
def _make_broker_folders(sender: Celery, **_: object) -> None:
    """Make the folders of the broker without Redis, which writes messages but not their folder."""
    for option in ("data_folder_in", "control_folder"):
        if folder := sender.conf.broker_transport_options.get(option):
            Path(folder).mkdir(parents=True, exist_ok=True)


@worker_ready.connect
def _sign(sender: Any, **_: object) -> None:
    """Have a worker leave signs of life, for each queue that it takes tasks from."""
    # Models load after Celery's application.
    from reporting.models.beats import Beat
    from smplat import signs

    signs.begin([Beat.Role(queue) for queue in sender.app.amqp.queues.consume_from])
