"""Running totals of the conversions: equal to counting everything, at any moment."""

import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from django.db import connection, transaction
from django.db.migrations import RunSQL
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from psycopg import sql

from reporting.feeds.shapes import Row
from reporting.insights import conversion_totals, conversions
from reporting.models import ConversionFold, ConversionSnapshot, PricingExperimentSegment
from reporting.recording import segments
from tests.database import database_url, record_segment
from tests.factories import experiment


def counted_in_python() -> dict:
    """Orders by experiment and by variant, and each variant's newest name, from all rows."""
    orders: dict[tuple[str, str | None], set[uuid.UUID]] = defaultdict(set)
    newest: dict[tuple[str, str | None], str | None] = {}
    rows = PricingExperimentSegment.objects.order_by("recorded_at", "event_id")
    for row in rows:
        orders[row.slug, None].add(row.order_id)
        orders[row.slug, row.variant_key].add(row.order_id)
        newest[row.slug, row.variant_key] = row.variant_name
    return {key: (len(found), newest.get(key)) for key, found in orders.items()}


def shown(as_of: int | None = None) -> dict:
    """The same as the pages of conversions say it."""
    found, cursor = {}, None
    while True:
        page = conversions.page(2, cursor, as_of)
        for metric in page.metrics:
            assert metric["orderCount"] == metric["journeyCount"]
            found[metric["slug"], None] = (metric["orderCount"], None)
            for variant in metric["variants"]:
                assert variant["orderCount"] == variant["journeyCount"]
                found[metric["slug"], variant["variantKey"]] = (variant["orderCount"], variant["variantName"])
        cursor = page.next_cursor
        if cursor is None:
            return found


def record_some(generator: random.Random, orders: list[uuid.UUID], count: int) -> None:
    for _ in range(count):
        chosen = [
            experiment(generator.choice("abcde"), generator.choice("xyz"), variant_name=f"n{generator.random()}")
            for _ in range(generator.randint(1, 3))
        ]
        segments.record(generator.choice(orders), chosen)


@pytest.mark.django_db
class TestFold:
    def test_what_is_folded_reads_as_what_is_not(self):
        generator, orders = random.Random(7), [uuid.uuid4() for _ in range(20)]
        for _ in range(6):
            record_some(generator, orders, 15)
            assert shown() == counted_in_python()
            conversion_totals.fold()
            assert shown() == counted_in_python()

    def test_small_batches_give_the_same_totals(self, monkeypatch):
        # Positions go on from test to test; those that are no longer there need no small batches.
        conversion_totals.fold()
        monkeypatch.setattr(conversion_totals, "_BATCH_POSITIONS", 3)
        record_some(random.Random(8), [uuid.uuid4() for _ in range(5)], 20)

        conversion_totals.fold()

        assert shown() == counted_in_python()

    def test_a_second_fold_adds_nothing(self):
        record_segment("a")
        assert conversion_totals.fold() == conversion_totals.fold()
        assert shown() == {("a", None): (1, None), ("a", "bundle"): (1, "Bundle")}

    def test_an_older_assignment_that_comes_later_does_not_take_the_name(self):
        record_segment("a", variant_name="New")
        conversion_totals.fold()
        late = record_segment("a", variant_name="Old")
        PricingExperimentSegment.objects.filter(pk=late).update(
            recorded_at=PricingExperimentSegment.objects.exclude(pk=late).get().recorded_at - timedelta(days=1)
        )
        conversion_totals.fold()

        assert shown()["a", "bundle"] == (2, "New")

    def test_a_fold_that_is_broken_off_leaves_the_totals_as_they_were(self, monkeypatch):
        record_segment("a")

        class Crash(Exception):
            pass

        def crash(self, *args, **kwargs):
            raise Crash

        with monkeypatch.context() as broken:
            broken.setattr(ConversionFold, "save", crash)
            with pytest.raises(Crash):
                conversion_totals.fold()

        assert shown() == counted_in_python()
        conversion_totals.fold()
        assert shown() == counted_in_python()

    def test_after_a_fold_a_page_reads_the_totals_and_not_the_assignments(self):
        for _ in range(300):
            record_segment("a")
        before = assignments_read()

        conversion_totals.fold()

        assert (before, assignments_read()) == (300, 0)

    @pytest.mark.parametrize("per_order", [1, 1_000])
    def test_ten_times_the_new_assignments_is_ten_times_the_work_though_nothing_is_known_of_the_table(self, per_order):
        fill(1_000, per_order)
        few = rows_handled()
        fill(9_000, per_order)

        assert rows_handled() < 13 * few


@pytest.mark.django_db
class TestAsOf:
    @pytest.mark.habit(
        "A pinned link showed the counts of the moment at which it was made.",
        "The link carries asOf, a position; later assignments are not counted.",
    )
    @pytest.mark.parametrize("snapshots_every", [7, 10_000])
    def test_later_assignments_never_change_what_is_counted_up_to_a_position(self, monkeypatch, snapshots_every):
        monkeypatch.setattr(conversion_totals, "_SNAPSHOT_POSITIONS", snapshots_every)
        generator, orders, seen = random.Random(9), [uuid.uuid4() for _ in range(10)], {}
        for number in range(4):
            record_some(generator, orders, 8)
            seen[conversions.newest_settled()] = counted_in_python()
            if number % 2:
                conversion_totals.fold()
            for as_of, counts in seen.items():
                assert shown(as_of) == counts

    def test_an_experiment_that_came_later_is_absent_and_takes_no_place_on_a_page(self):
        record_segment("m")
        as_of = conversions.newest_settled()
        for slug in "abcz":
            record_segment(slug)
        conversion_totals.fold()

        assert conversions.page(1, as_of=as_of) == conversions.Conversions([metric_of("m", as_of)], None)

    def test_the_last_activity_is_that_of_the_time(self):
        record_segment("a")
        as_of = conversions.newest_settled()
        then = metric_of("a", as_of)["lastActivity"]
        record_segment("a")
        conversion_totals.fold()

        assert metric_of("a", as_of)["lastActivity"] == then
        assert metric_of("a", None)["lastActivity"] > then

    def test_it_reads_the_assignments_since_the_last_snapshot_and_none_before_or_after(self, monkeypatch):
        monkeypatch.setattr(conversion_totals, "_SNAPSHOT_POSITIONS", 1)
        for _ in range(100):
            record_segment("a")
        conversion_totals.fold()
        for _ in range(4):
            record_segment("b")
        as_of = conversions.newest_settled()
        for _ in range(50):
            record_segment("c")
        conversion_totals.fold()

        assert assignments_read(as_of) == 4

    def test_an_upgraded_installation_begins_with_a_snapshot_of_what_it_has(self):
        record_segment("a")
        folded = conversion_totals.fold()
        migrations = MigrationLoader(connection).disk_migrations
        (first,) = [found for (_, name), found in migrations.items() if name.endswith("first_conversion_snapshot")]
        (keep,) = first.operations
        assert isinstance(keep, RunSQL)
        with connection.cursor() as cursor:
            cursor.execute(str(keep.sql))

        assert set(ConversionSnapshot.objects.values_list("position", "slug", "variant_key", "order_count")) == {
            (folded, "a", None, 1),
            (folded, "a", "bundle", 1),
        }

    def test_while_writers_are_under_way_the_newest_settled_position_is_that_of_the_fold(self):
        record_segment("a")
        folded = conversion_totals.fold()
        record_segment("a")
        with psycopg.connect(database_url()) as other:
            other.execute("LOCK TABLE reporting_pricingexperimentsegment IN ROW EXCLUSIVE MODE")
            during = conversions.newest_settled()

        assert (during, conversions.newest_settled()) == (folded, folded + 1)


def metric_of(slug: str, as_of: int | None) -> Row:
    return next(metric for metric in conversions.page(10, as_of=as_of).metrics if metric["slug"] == slug)


def fill(count: int, per_order: int) -> None:
    """Add assignments that no fold has seen, of orders with so many of them each; no statistics are gathered."""
    PricingExperimentSegment.objects.bulk_create(
        PricingExperimentSegment(
            event_id=uuid.uuid4(),
            order_id=order,
            journey_id=uuid.uuid4(),
            slug=f"s{index % 5}",
            variant_key=f"v{index % 3}",
            is_control=False,
            status="running",
            recorded_at=timezone.now(),
        )
        for order in [uuid.uuid4() for _ in range(count // per_order)]
        for index in range(per_order)
    )


def rows_handled() -> int:
    """How many rows the steps of a page's statement hand on or throw away, all together."""
    with connection.cursor() as cursor:
        explained = sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) {}").format(conversions._LIVE)
        cursor.execute(explained, {"limit": 10, "after": ""})
        (plan,) = cursor.fetchone()
    return handled(plan[0]["Plan"])


def handled(plan: dict) -> int:
    removed = sum(value for name, value in plan.items() if name.startswith("Rows Removed by"))
    own: int = (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    return own + sum(map(handled, plan.get("Plans", [])))


def assignments_read(as_of: int | None = None) -> int:
    """How many assignments a page of conversions reads."""
    statement = conversions._LIVE if as_of is None else conversions._AS_OF
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE reporting_pricingexperimentsegment")
        # A small table is read faster whole than by index; what counts is that the index can do without.
        cursor.execute("SET LOCAL enable_seqscan = off")
        explained = sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) {}").format(statement)
        cursor.execute(explained, {"limit": 10, "after": "", "as_of": as_of})
        (plan,) = cursor.fetchone()
    return max_read(plan[0]["Plan"], "reporting_pricingexperimentsegment")


def max_read(plan: dict, table: str) -> int:
    own = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) if plan.get("Relation Name") == table else 0
    return max([own, *(max_read(child, table) for child in plan.get("Plans", []))])


class Crew:
    """Threads with database sessions of their own, whose errors are kept."""

    def __init__(self) -> None:
        self.problems: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def start(self, act: Callable[[], object]) -> None:
        self._threads.append(threading.Thread(target=self._run, args=[act]))
        self._threads[-1].start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        assert self.problems == []

    def _run(self, act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:
            self.problems.append(error)
        finally:
            connection.close()


@pytest.mark.django_db(transaction=True)
class TestConcurrency:
    def test_writers_and_folds_at_once_lose_and_double_nothing(self):
        orders, stop = [uuid.uuid4() for _ in range(30)], threading.Event()

        def write(seed: int) -> None:
            generator = random.Random(seed)
            for _ in range(40):
                with transaction.atomic():
                    record_some(generator, [generator.choice(orders)], 1)
                    connection.cursor().execute("SELECT pg_sleep(%s)", [generator.random() / 50])

        def fold() -> None:
            while not stop.is_set():
                conversion_totals.fold()

        writers, folds = Crew(), Crew()
        for seed in range(4):
            writers.start(partial(write, seed))
        for _ in range(2):
            folds.start(fold)
        writers.join()
        stop.set()
        folds.join()

        assert ConversionFold.objects.get().position > 0
        assert shown() == counted_in_python()
        conversion_totals.fold()
        assert shown() == counted_in_python()

    def test_a_writer_that_does_not_end_only_delays_the_fold(self, monkeypatch):
        monkeypatch.setattr(conversion_totals, "_TIMEOUT", timedelta(milliseconds=50))
        record_segment("a")
        begun, end = threading.Event(), threading.Event()

        def hold() -> None:
            with transaction.atomic():
                record_segment("b")
                begun.set()
                end.wait(20)
            connection.close()

        holder = threading.Thread(target=hold)
        holder.start()
        begun.wait(20)
        try:
            assert conversion_totals.fold() == 0
            assert shown() == {("a", None): (1, None), ("a", "bundle"): (1, "Bundle")}
        finally:
            end.set()
            holder.join()

        assert conversion_totals.fold() > 0
        assert shown() == counted_in_python()
