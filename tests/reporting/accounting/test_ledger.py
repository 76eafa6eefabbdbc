"""The conservation ledger."""

import threading
import uuid
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting import feeds
from reporting.accounting import ledger, retention
from reporting.feeds.checksums import id_number
from reporting.models import Checkpoint, ExpiredDay, GuardrailFollowUp, RowTotal
from reporting.recording import followups, segments
from telemetry.models import IntakeTally, IntakeTotal, QuickOrderEvent
from tests.database import capture, capture_quick_orders, record_follow_up
from tests.factories import experiment, follow_up, quick_order_event


def exported_up_to(index: int) -> None:
    """Put the checkpoint at the row of this index in the order of arrival."""
    position = QuickOrderEvent.objects.order_by("position")[index].position
    defaults = {"position": position, "cursor": timezone.now(), "rows": 1}
    Checkpoint.objects.update_or_create(feed="quick_order", defaults=defaults)


def rows() -> tuple[int, int, int, int]:
    """Accepted, exported, pending and expired of the quick orders."""
    entry = ledger.read()["quick_order"]
    assert entry.intake_remainder == entry.rows_remainder == 0
    return entry.accepted, entry.exported, entry.pending, entry.expired


@pytest.mark.django_db
class TestReading:
    def test_it_is_the_same_before_the_fold_and_after(self):
        capture_quick_orders(5)
        exported_up_to(2)

        before = ledger.read()
        ledger.fold()

        assert ledger.read() == before
        assert rows() == (5, 3, 2, 0)
        assert not IntakeTally.objects.exists()

    def test_what_comes_after_a_fold_counts_too(self):
        capture_quick_orders(2)
        ledger.fold()
        capture_quick_orders(3)

        assert rows() == (5, 0, 5, 0)

    def test_minted_ids_are_counted_and_change_no_equation(self):
        capture([quick_order_event(id=None), quick_order_event()])
        ledger.fold()
        capture([quick_order_event(id=None)])

        assert ledger.read()["quick_order"].minted == 2
        assert rows() == (3, 0, 3, 0)

    def test_every_feed_has_a_line_and_events_of_no_feed_have_one(self):
        capture([{"name": "other"}, 5])

        lines = ledger.read()

        assert set(lines) == {*feeds.FEEDS, ""}
        assert (lines[""].received, lines[""].ignored, lines[""].rejected, lines[""].intake_remainder) == (2, 1, 1, 0)

    @pytest.mark.parametrize("is_folded", [False, True], ids=["a tally", "a total"])
    def test_a_lost_counter_leaves_a_remainder(self, is_folded):
        capture_quick_orders(4)
        if is_folded:
            ledger.fold()
            IntakeTotal.objects.all().delete()
        IntakeTally.objects.all().delete()

        assert ledger.read()["quick_order"].rows_remainder == -4

    def test_an_event_that_was_received_and_went_nowhere_leaves_a_remainder(self):
        capture_quick_orders(2)
        IntakeTally.objects.update(received=3)

        assert ledger.read()["quick_order"].intake_remainder == 1

    def test_a_row_that_was_lost_from_the_table_leaves_a_remainder(self):
        capture_quick_orders(3)
        QuickOrderEvent.objects.get(position=max(QuickOrderEvent.objects.newest_positions(1))).delete()

        assert ledger.read()["quick_order"].rows_remainder == 1

    def test_remainders_are_those_of_the_lines_without_counting_what_waits(self):
        capture_quick_orders(3)
        lost = QuickOrderEvent.objects.order_by("position").values("position")[:1]
        QuickOrderEvent.objects.filter(position__in=list(lost.values_list("position", flat=True))).delete()

        lines = ledger.read()

        assert lines["quick_order"].pending == 2
        assert ledger.remainders() == {
            key: abs(line.intake_remainder) + abs(line.rows_remainder) for key, line in lines.items()
        }
        assert ledger.remainders()["quick_order"] == 1

    def test_it_reads_what_was_not_folded_and_not_exported_alone(self):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO telemetry_quickorderevent (event_id, recorded_at, metadata, event, event_name)"
                " SELECT gen_random_uuid(), now(), '{}', '{}', 'quick_order.start' FROM generate_series(1, 20000)"
            )
            cursor.execute("ANALYZE telemetry_quickorderevent")
        exported_up_to(19_990)
        ledger.fold()

        with CaptureQueriesContext(connection) as queries:
            entry = ledger.read()["quick_order"]

        assert (entry.exported, entry.pending) == (19_991, 9)
        assert len(queries) == 3
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {queries[-1]['sql']}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Seq Scan on telemetry_quickorderevent" not in plan


@pytest.mark.django_db
class TestTheFold:
    def test_batches_add_up(self, monkeypatch):
        # The sequence has passed other tests' positions, which are skipped in large batches.
        ledger.fold()
        monkeypatch.setattr(ledger, "_BATCH_POSITIONS", 2)
        for _ in range(7):
            capture_quick_orders(1)

        ledger.fold()

        assert RowTotal.objects.get(feed="quick_order").rows == 7
        assert IntakeTotal.objects.get(line="telemetry.QuickOrderEvent").accepted == 7

    def test_it_reads_what_is_new_alone(self):
        capture_quick_orders(500)
        ledger.fold()
        capture_quick_orders(1)

        folded = RowTotal.objects.get(feed="quick_order").position

        with CaptureQueriesContext(connection) as queries:
            ledger.fold()

        counts = [query["sql"] for query in queries if "COUNT" in query["sql"] and "quickorder" in query["sql"]]
        assert [f'"position" > {folded} ' in sql for sql in counts] == [True]
        assert rows() == (501, 0, 501, 0)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_two_folds_at_once_count_everything_once(self):
        for _ in range(200):
            capture_quick_orders(1)

        def fold() -> None:
            try:
                ledger.fold()
            finally:
                connection.close()

        threads = [threading.Thread(target=fold) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert rows() == (200, 0, 200, 0)
        assert RowTotal.objects.get(feed="quick_order").rows == 200

    def test_a_row_that_is_committed_after_a_later_one_was_folded_counts(self, monkeypatch):
        monkeypatch.setattr(ledger, "_TIMEOUT", timedelta(0))
        with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as late:
            late.execute(
                "INSERT INTO telemetry_quickorderevent (event_id, recorded_at, metadata, event, event_name)"
                " VALUES (gen_random_uuid(), now(), '{}', '{}', 'quick_order.start')"
            )
            late.execute(
                "INSERT INTO telemetry_intaketally (line, received, accepted, duplicates, ignored, rejected)"
                " VALUES ('telemetry.QuickOrderEvent', 1, 1, 0, 0, 0)"
            )
            capture_quick_orders(1)
            ledger.fold()
            assert rows() == (1, 0, 1, 0)
        ledger.fold()

        assert rows() == (2, 0, 2, 0)
        assert RowTotal.objects.get(feed="quick_order").rows == 2

    def test_a_fold_goes_on_until_no_tally_is_left(self):
        tallies = (
            IntakeTally(line="", received=1, accepted=0, duplicates=0, ignored=1, rejected=0) for _ in range(5_001)
        )
        IntakeTally.objects.bulk_create(tallies)

        ledger.fold()

        assert not IntakeTally.objects.exists()
        assert IntakeTotal.objects.get(line="").received == 5_001

    def test_readers_never_see_a_remainder_while_writers_write(self):
        ended = threading.Event()

        def write() -> None:
            try:
                for _ in range(60):
                    capture_quick_orders(3)
                    with transaction.atomic():
                        record_follow_up()
                ended.set()
            finally:
                connection.close()

        def fold() -> None:
            try:
                while not ended.is_set():
                    ledger.fold()
            finally:
                connection.close()

        threads = [threading.Thread(target=write), threading.Thread(target=fold)]
        for thread in threads:
            thread.start()
        left_over = {0}
        while not ended.is_set():
            left_over |= {entry.rows_remainder for entry in ledger.read().values()}
            left_over |= {entry.intake_remainder for entry in ledger.read().values()}
        for thread in threads:
            thread.join()

        assert left_over == {0}
        assert rows()[0] == 180


@pytest.mark.django_db
class TestExpired:
    @pytest.fixture
    def old_events(self, monkeypatch):
        """Six exported events, old enough to go but for the last, which the window shows."""
        monkeypatch.setattr(retention, "WINDOW_FEEDS", (replace(feeds.FEEDS["quick_order"], window=1),))
        capture([quick_order_event(recordedAt=f"2026-11-0{1 + day % 2}T23:59:59.9Z") for day in range(6)])
        QuickOrderEvent.objects.update(received_at=timezone.now() - timedelta(days=100))
        exported_up_to(5)
        return list(QuickOrderEvent.objects.order_by("position"))

    @pytest.mark.parametrize("is_folded", [False, True], ids=["before the fold", "after the fold"])
    def test_what_retention_prunes_is_expired(self, old_events, is_folded):
        if is_folded:
            ledger.fold()

        assert retention.apply() == 5

        assert rows() == (6, 1, 0, 5)
        ledger.fold()
        assert rows() == (6, 1, 0, 5)

    def test_it_is_booked_by_day_with_the_ids(self, old_events):
        retention.apply()

        booked = {str(row.day): (row.rows, int(row.id_sum)) for row in ExpiredDay.objects.all()}
        ids = [id_number(str(event.event_id)) for event in old_events]
        assert booked == {"2026-11-01": (3, sum(ids[0:5:2])), "2026-11-02": (2, sum(ids[1:5:2]))}


@pytest.mark.django_db
class TestRecording:
    def test_segments_that_repeat_in_a_request_are_duplicates(self):
        segments.record(uuid.uuid4(), [experiment(), experiment(), experiment(variant_key="b")])

        entry = ledger.read()["onboarding_segments"]

        assert (entry.received, entry.accepted, entry.duplicates) == (3, 2, 1)
        assert (entry.pending, entry.intake_remainder, entry.rows_remainder) == (2, 0, 0)

    def test_a_repeated_follow_up_is_a_duplicate(self):
        for _ in range(3):
            followups.record(follow_up(), key="once")

        entry = ledger.read()["guardrail_followups"]

        assert (entry.received, entry.accepted, entry.duplicates) == (3, 1, 2)
        assert (entry.pending, entry.rows_remainder) == (1, 0)

    def test_a_follow_up_that_is_rolled_back_is_not_counted(self):
        def fail() -> None:
            with transaction.atomic():
                record_follow_up()
                raise InterruptedError

        with pytest.raises(InterruptedError):
            fail()

        assert ledger.read()["guardrail_followups"].received == 0
        assert not GuardrailFollowUp.objects.exists()
