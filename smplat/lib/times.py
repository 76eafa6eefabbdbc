"""The times that the project accepts, and how it writes them."""

from datetime import UTC, date, datetime, time
from typing import cast

from django.db import connection

#: The first moment that is accepted, and the first one after the last.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def is_accepted(moment: datetime) -> bool:
    """Whether an aware time lies in the years 1970 to 2199, which every engine and format here can hold."""
    return EARLIEST <= moment < LATEST


def iso(moment: datetime) -> str:
    """``moment`` as ISO 8601 in UTC with a ``Z``, always with six decimals, so that strings sort as moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def midnight(day: date) -> datetime:
    """The first moment of a UTC day."""
    return datetime.combine(day, time.min, UTC)


def database_now() -> datetime:
    """The time by the database's clock, which all processes share, however wrong the clock of one of them is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cast(datetime, cursor.fetchone()[0])
