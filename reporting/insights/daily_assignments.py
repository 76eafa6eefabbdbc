"""How many assignments each experiment had on each of the last days."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from django.db.models import Count
from django.db.models.functions import TruncDate

from reporting.models import PricingExperimentSegment
from smplat.lib.times import midnight

DAYS = 14


def daily_assignments(slugs: Collection[str], now: datetime) -> dict[str, list[int]]:
    """By slug the assignments of each of the last 14 UTC days, today's last; by one query that reads an index alone."""
    days = [now.astimezone(UTC).date() - timedelta(days=back) for back in reversed(range(DAYS))]
    counts: dict[str, dict[date, int]] = {slug: dict.fromkeys(days, 0) for slug in slugs}
    rows = PricingExperimentSegment.objects.filter(
        slug__in=slugs, recorded_at__gte=midnight(days[0]), recorded_at__lt=midnight(days[-1] + timedelta(days=1))
    )
    daily = rows.order_by().annotate(day=TruncDate("recorded_at", tzinfo=UTC)).values("slug", "day")
    for slug, day, count in daily.annotate(count=Count("*")).values_list("slug", "day", "count"):
        counts[slug][day] = count
    return {slug: list(series.values()) for slug, series in counts.items()}
