"""When the jobs run next, as the feeds declare it."""

from datetime import datetime, timedelta

from reporting.feeds import Feed

#: The minutes of every hour, in UTC, at which the provider automation looks for alerts.
AUTOMATION_MINUTES = "25"


def next_run(feed: Feed, now: datetime) -> datetime:
    """The next time at which the job of ``feed`` starts, later than ``now``; see :func:`next_start`."""
    return next_start(feed.schedule_minutes, now)


def next_start(minutes: str, now: datetime) -> datetime:
    """The next time of a schedule, later than ``now``.

    Args:
        minutes: the minutes of every hour, in UTC, as a crontab has them.
        now: an aware time in UTC.
    """
    # The schedules are Celery's; commands, which ask for no next run, start without it.
    from celery.schedules import crontab_parser

    hour = now.replace(minute=0, second=0, microsecond=0)
    parsed = sorted(crontab_parser(60).parse(minutes))
    starts = [hour + timedelta(hours=hours, minutes=minute) for hours in (0, 1) for minute in parsed]
    return next(start for start in starts if start > now)
