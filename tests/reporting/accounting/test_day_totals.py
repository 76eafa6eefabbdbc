"""The quick orders and the assignments of each of the last days: totals and what is not folded, equal to counting."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting import feeds
from reporting.accounting import ledger, retention
from reporting.accounting.day_totals import daily_counts
from reporting.models import Checkpoint, DayTotal, PricingExperimentSegment, RowTotal
from telemetry.models import QuickOrderEvent
from tests.database import add_quick_orders, add_segments, capture, record_segment
from tests.factories import quick_order_event

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = 14
OLD = timedelta(days=100)


def assigned(slug: str, at: datetime) -> None:
    PricingExperimentSegment.objects.filter(pk=record_segment(slug)).update(recorded_at=at)


def assignments(*slugs: str) -> dict[str, list[int]]:
    counts = daily_counts("onboarding_segments", slugs, DAYS, NOW)
    return {slug: list(series.values()) for slug, series in counts.items()}


def flow() -> Counter:
    """The quick orders of the last days, without the days and names that have none."""
    counts = daily_counts("quick_order", QuickOrderEvent.names, DAYS, NOW)
    return +Counter({(name, day): rows for name, series in counts.items() for day, rows in series.items()})


def counted_in_python() -> Counter:
    rows = QuickOrderEvent.objects.values_list("event_name", "recorded_at")
    first = NOW.date() - (DAYS - 1) * DAY
    return Counter((name, at.date()) for name, at in rows if first <= at.date() <= NOW.date())


def recorded(generator: random.Random) -> dict:
    """An event of a day around those that are shown, in any order."""
    at = (
        NOW.replace(hour=0)
        + generator.randint(-DAYS, 1) * DAY
        + generator.choice([0, 1, 86_399]) * timedelta(seconds=1)
    )
    return quick_order_event(name=generator.choice(QuickOrderEvent.names), recordedAt=at.isoformat())


def reads(plan: dict, table: str) -> int:
    below = sum(reads(child, table) for child in plan.get("Plans", []))
    if plan.get("Relation Name") != table:
        return below
    own: int = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return own + below


def explained(statement: str) -> dict:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
        found: dict = cursor.fetchone()[0][0]["Plan"]
    return found


@pytest.fixture
def retention_of_all_but_two(monkeypatch):
    """Retention under a window of two rows, two a batch."""
    monkeypatch.setattr(retention, "WINDOW_FEEDS", (replace(feeds.FEEDS["quick_order"], window=2),))
    monkeypatch.setattr(retention, "_BATCH", 2)


def prune(up_to: int) -> int:
    """Apply retention to the rows up to a position, as if they were old and exported."""
    QuickOrderEvent.objects.filter(position__lte=up_to).update(received_at=timezone.now() - OLD)
    exported = {"position": up_to, "cursor": timezone.now(), "rows": 1}
    Checkpoint.objects.update_or_create(feed="quick_order", defaults=exported)
    return retention.apply()


@pytest.mark.parametrize("is_folded", [False, True])
def test_each_day_of_utc_has_its_count_and_today_is_the_last(is_folded):
    today = NOW.replace(hour=0)
    for at in (today, NOW, today - timedelta(seconds=1), today - (DAYS - 1) * DAY):
        assigned("spring", at)
    for at in (today - (DAYS - 1) * DAY - timedelta(seconds=1), today + DAY):
        assigned("spring", at)
    assigned("other", NOW)
    if is_folded:
        ledger.fold()

    assert assignments("spring", "quiet") == {"spring": [1, *[0] * (DAYS - 3), 1, 2], "quiet": [0] * DAYS}
    assert assignments() == {}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.usefixtures("retention_of_all_but_two")
def test_captures_folds_and_retention_in_any_order_leave_what_counting_gives(seed, monkeypatch):
    ledger.fold()
    monkeypatch.setattr(ledger, "_BATCH_POSITIONS", 7)
    generator = random.Random(seed)
    for _ in range(40):
        match generator.choice(["capture", "capture", "fold", "step", "prune"]):
            case "capture":
                capture([recorded(generator) for _ in range(generator.randint(1, 6))])
            case "fold":
                ledger.fold()
            case "step":
                ledger._step(feeds.FEEDS["quick_order"], max(QuickOrderEvent.objects.newest_positions(1), default=0))
            case "prune":
                prune(generator.choice(QuickOrderEvent.objects.newest_positions(15) or [0]))
        assert flow() == counted_in_python()

    ledger.fold()
    totals = {(total.name, total.day): total.rows for total in DayTotal.objects.filter(feed="quick_order")}
    stored = QuickOrderEvent.objects.values_list("event_name", "recorded_at")
    assert totals == Counter((name, at.date()) for name, at in stored)
    assert flow() == counted_in_python()


def test_a_desk_that_counted_its_rows_before_counts_their_days_and_shows_them_meanwhile(monkeypatch):
    capture([recorded(random.Random(1)) for _ in range(20)])
    ledger.fold()
    DayTotal.objects.all().delete()
    RowTotal.objects.update(days_position=0)

    monkeypatch.setattr(ledger, "_BATCH_POSITIONS", QuickOrderEvent.objects.newest_positions(10)[0])
    ledger._step(feeds.FEEDS["quick_order"], RowTotal.objects.get(feed="quick_order").position)

    assert DayTotal.objects.exists()
    assert flow() == counted_in_python()
    ledger.fold()
    assert flow() == counted_in_python()
    assert RowTotal.objects.get(feed="quick_order").rows == 20


def test_before_the_first_fold_an_index_is_read_of_the_days_asked_for_alone(django_assert_num_queries):
    add_segments(2_000, NOW - 2_000 * DAY, DAY)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE reporting_pricingexperimentsegment")

    with django_assert_num_queries(2) as queries:
        assert sum(assignments("a")["a"]) == DAYS - 1

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {queries[1]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "segments_by_slug" in plan
    assert "Seq Scan" not in plan


def test_after_it_nothing_is_read_but_what_is_new():
    add_quick_orders(20_000)
    ledger.fold()
    capture([quick_order_event(recordedAt=None) for _ in range(3)])

    with CaptureQueriesContext(connection) as queries:
        counts = daily_counts("quick_order", QuickOrderEvent.names, 7, timezone.now())

    assert sum(map(sum, (series.values() for series in counts.values()))) == 20_003
    assert len(queries) == 2
    assert reads(explained(queries[1]["sql"]), "telemetry_quickorderevent") == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("retention_of_all_but_two")
def test_folds_and_retention_and_captures_at_once_lose_and_double_nothing(monkeypatch):
    generator, stop = random.Random(2), threading.Event()
    capture([recorded(generator) for _ in range(100)])
    ledger.fold()
    monkeypatch.setattr(ledger, "_BATCH_POSITIONS", 7)
    capture([recorded(generator) for _ in range(100)])
    old = max(QuickOrderEvent.objects.newest_positions(1))

    def capture_beside() -> None:
        own = random.Random(3)
        for _ in range(15):
            capture([recorded(own)])

    def fold_beside() -> None:
        while not stop.is_set():
            ledger.fold()

    def closing(act):
        try:
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as beside:
        captures = beside.submit(closing, capture_beside)
        folds = [beside.submit(closing, fold_beside) for _ in range(2)]
        deleted = prune(old)
        captures.result()
        stop.set()
        for fold in folds:
            fold.result()

    assert deleted >= 198
    assert flow() == counted_in_python()
    ledger.fold()
    assert flow() == counted_in_python()
