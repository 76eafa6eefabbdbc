"""The assignments of each of the last days."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from reporting.insights.daily_assignments import DAYS, daily_assignments
from reporting.models import PricingExperimentSegment
from tests.database import add_segments, record_segment

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)


def assigned(slug: str, at: datetime) -> None:
    PricingExperimentSegment.objects.filter(pk=record_segment(slug)).update(recorded_at=at)


def test_each_day_of_utc_has_its_count_and_today_is_the_last():
    today = NOW.replace(hour=0)
    for at in (today, NOW, today - timedelta(seconds=1), today - timedelta(days=DAYS - 1)):
        assigned("spring", at)
    for at in (today - timedelta(days=DAYS - 1, seconds=1), today + timedelta(days=1)):
        assigned("spring", at)
    assigned("other", NOW)

    assert daily_assignments(["spring", "quiet"], NOW) == {
        "spring": [1, *[0] * (DAYS - 3), 1, 2],
        "quiet": [0] * DAYS,
    }


def test_it_reads_an_index_of_the_days_asked_for_alone(django_assert_num_queries):
    add_segments(2_000, NOW - timedelta(days=2_000), timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE reporting_pricingexperimentsegment")

    with django_assert_num_queries(1) as queries:
        assert sum(daily_assignments(["a"], NOW)["a"]) == DAYS - 1

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {queries[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "segments_by_slug" in plan
    assert "Seq Scan" not in plan
