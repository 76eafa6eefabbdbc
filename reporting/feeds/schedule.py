"""When the jobs run next, as the feeds declare it."""

from datetime import datetime, timedelta

from celery.schedules import crontab_parser

from reporting.feeds import Feed


def next_run(feed: Feed, now: datetime) -> datetime:
    """The next time at which the job of ``feed`` starts, later than ``now``.

    Args:
        feed: the feed; its ``schedule_minutes`` are those of every hour, in UTC.
        now: an aware time in UTC.
    """
    minutes = sorted(crontab_parser(60).parse(feed.schedule_minutes))
    hour = now.replace(minute=0, second=0, microsecond=0)
    starts = [hour + timedelta(hours=hours, minutes=minute) for hours in (0, 1) for minute in minutes]
    return next(start for start in starts if start > now)
