"""Commit-safe reading by position."""

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection, transaction

from reporting.feeds.fence import FenceTimeoutError, fence
from telemetry.models import QuickOrderEvent
from tests.database import capture_quick_orders

TIMEOUT = timedelta(seconds=20)


@contextmanager
def unfinished_writer(*, roll_back: bool = False):
    """Insert one event in a transaction of another session that stays open for the time of the block."""
    inserted, may_end = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            capture_quick_orders()
            inserted.set()
            may_end.wait(30)
            transaction.set_rollback(roll_back)
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert inserted.wait(30)
    yield may_end
    may_end.set()
    thread.join()


def exported(after: int, window: int = 2) -> list[str]:
    rows = QuickOrderEvent.objects.for_object(window, after, fence(QuickOrderEvent, TIMEOUT))
    return [str(event_id) for event_id in rows.values_list("event_id", flat=True)]


@pytest.mark.django_db(transaction=True)
class TestFence:
    def test_an_untouched_table_is_settled_at_zero(self):
        with connection.cursor() as cursor:
            cursor.execute("ALTER SEQUENCE telemetry_quickorderevent_position_seq RESTART")

        assert fence(QuickOrderEvent, TIMEOUT) == 0

    def test_it_is_the_last_position_when_nobody_writes(self):
        capture_quick_orders(3)

        assert fence(QuickOrderEvent, TIMEOUT) == QuickOrderEvent.objects.order_by("-position")[0].position

    def test_it_waits_for_a_writer_that_drew_a_smaller_position(self):
        with unfinished_writer() as may_end:
            capture_quick_orders()  # draws a later position and commits first
            threading.Timer(0.2, may_end.set).start()

            position = fence(QuickOrderEvent, TIMEOUT)

            assert QuickOrderEvent.objects.filter(position__lte=position).count() == 2

    def test_a_writer_that_rolls_back_holds_nothing_back(self):
        with unfinished_writer(roll_back=True) as may_end:
            stored = capture_quick_orders()
            threading.Timer(0.2, may_end.set).start()

            assert exported(after=0) == stored

    def test_a_writer_that_never_ends_is_named(self):
        with unfinished_writer(), pytest.raises(FenceTimeoutError, match=r"held back by .* \(database process \d+\)"):
            fence(QuickOrderEvent, timedelta(milliseconds=50))

    def test_a_writer_of_another_table_is_not_waited_for(self):
        from telemetry.models import GuardrailWorkflowEvent

        capture_quick_orders()
        with unfinished_writer():
            assert fence(GuardrailWorkflowEvent, timedelta(milliseconds=50)) >= 0

    def test_writers_are_not_kept_waiting(self):
        def wait() -> None:
            fence(QuickOrderEvent, TIMEOUT)
            connection.close()

        with unfinished_writer():
            waiting = threading.Thread(target=wait)
            waiting.start()

            capture_quick_orders()

            assert waiting.is_alive()
        waiting.join()


@pytest.mark.django_db(transaction=True)
class TestRowsForObject:
    def test_it_is_the_window_when_all_older_rows_are_in_the_lake(self):
        ids = capture_quick_orders(5)
        last = QuickOrderEvent.objects.order_by("-position")[0].position

        assert exported(after=last) == ids[3:]

    def test_a_burst_larger_than_the_window_is_exported_whole(self):
        ids = capture_quick_orders(5)
        first = QuickOrderEvent.objects.order_by("position")[0].position

        assert exported(after=first) == ids[1:]

    def test_a_table_smaller_than_the_window_is_exported_whole(self):
        ids = capture_quick_orders(1)

        assert exported(after=0) == ids

    def test_it_ends_at_the_fence(self):
        ids = capture_quick_orders(2)
        position = fence(QuickOrderEvent, TIMEOUT)
        capture_quick_orders(1)

        rows = QuickOrderEvent.objects.for_object(9, 0, position)
        assert [str(event_id) for event_id in rows.values_list("event_id", flat=True)] == ids
