"""The cursor grammar, and walks over rows that share a timestamp while others are added."""

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from reporting.feeds import FEEDS, cursors
from reporting.feeds.cursors import Cursor, CursorError, Walk
from reporting.models import GuardrailFollowUp, PricingExperimentSegment
from reporting.recording import followups, segments
from tests.database import add_follow_ups, add_segments, record_segment

EVENTS = "/api/v1/reporting/onboarding/experiment-events"
TIMELINE = "/api/v1/reporting/guardrails/followups"
TIE = datetime(2026, 1, 22, 4, 0, 0, 123456, tzinfo=UTC)
KEY = uuid.UUID("0f3b6a52-6f5e-4a4b-9d57-1c2f6b0a7e94")


class TestGrammar:
    @pytest.mark.parametrize(
        ("text", "cursor"),
        [
            ("2026-01-22T04:00:00.123456Z", Cursor(TIE)),
            (f"2026-01-22T04:00:00.123456Z~{KEY}", Cursor(TIE, KEY)),
            (f"2026-01-22T04:00:00.123456Z~{str(KEY).upper()}", Cursor(TIE, KEY)),
            ("2026-01-22T05:00:00.123456+01:00", Cursor(TIE)),
            # A plus sign that was not escaped in the query.
            ("2026-01-22T05:00:00.123456 01:00", Cursor(TIE)),
            ("2026-01-22T04:00:00Z", Cursor(TIE.replace(microsecond=0))),
            ("2026-01-22T04:00:00.120Z", Cursor(TIE.replace(microsecond=120_000))),
            ("1970-01-01T00:00:00Z", Cursor(datetime(1970, 1, 1, tzinfo=UTC))),
        ],
    )
    def test_a_timestamp_with_or_without_a_tie_break_is_read(self, text, cursor):
        assert cursors.parse(text) == cursor

    def test_its_time_is_in_utc_since_the_database_takes_no_offset_of_16_hours(self):
        assert str(cursors.parse("2026-01-22T23:59:00-23:59").at) == "2026-01-23 23:58:00+00:00"

    @pytest.mark.parametrize("cursor", [Cursor(TIE), Cursor(TIE, KEY), Cursor(TIE.replace(microsecond=0))])
    def test_what_is_written_is_read_again(self, cursor):
        assert cursors.parse(str(cursor)) == cursor

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "yesterday",
            "1",
            "2026-01-22",
            "2026-01-22T04:00:00",
            "2026-01-22T04:00:00.1234567Z",
            "2026-02-30T04:00:00Z",
            "2026-01-22T25:00:00Z",
            "2026-01-22T04:00:00+99:99",
            "1969-12-31T23:59:59Z",
            "2200-01-01T00:00:00Z",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "2026-01-22T04:00:00Z~",
            "2026-01-22T04:00:00Z~7",
            f"2026-01-22T04:00:00Z~{KEY}~{KEY}",
            f"2026-01-22T04:00:00Z~{KEY.hex}",
            f"~{KEY}",
            "2026-01-22T04:00:00Z\n",
            "2026-01-22T04:00:00Z\x00",
            "٢٠٢٦-01-22T04:00:00Z",
            "2026-01-22T04:00:00Z' OR 1=1 --",
        ],
    )
    def test_rubbish_is_refused(self, text):
        with pytest.raises(CursorError):
            cursors.parse(text)

    @pytest.mark.django_db
    @pytest.mark.parametrize("route", [EVENTS, TIMELINE])
    @pytest.mark.parametrize("text", ["", "yesterday", "2026-01-22T04:00:00", "2026-01-22T04:00:00Z~7", "\x00"])
    def test_the_answer_to_rubbish_names_the_cursor(self, api, route, text):
        answer = api.get(route, {"cursor": text})

        assert (answer.status_code, list(answer.json())) == (400, ["cursor"])


@pytest.mark.django_db
class TestPages:
    def page(self, limit, cursor=None, is_ascending=False):
        return Walk(segments.FEED, is_ascending).page(limit, cursor and cursors.parse(cursor))

    def test_a_page_that_ends_between_two_timestamps_has_a_bare_cursor(self):
        add_segments(3, TIE, timedelta(seconds=1))

        assert self.page(2).next_cursor == "2026-01-22T04:00:01.123456Z"

    def test_a_page_that_ends_inside_a_tie_has_a_tie_break(self):
        add_segments(3, TIE)

        page = self.page(2)

        assert page.next_cursor == f"2026-01-22T04:00:00.123456Z~{page.rows[-1]['eventId']}"

    def test_a_page_that_ends_with_its_tie_has_none(self):
        add_segments(2, TIE)
        add_segments(1, TIE - timedelta(seconds=1))

        assert self.page(2).next_cursor == "2026-01-22T04:00:00.123456Z"

    @pytest.mark.parametrize("limit", [3, 4])
    def test_the_last_page_has_no_cursor(self, limit):
        add_segments(3, TIE)

        assert self.page(limit).next_cursor is None

    @pytest.mark.parametrize("is_ascending", [True, False])
    def test_a_bare_timestamp_resumes_behind_all_rows_of_that_time(self, is_ascending):
        add_segments(2, TIE)
        add_segments(1, TIE - timedelta(microseconds=1))
        add_segments(1, TIE + timedelta(microseconds=1))

        page = self.page(9, "2026-01-22T04:00:00.123456Z", is_ascending)

        microsecond = "7" if is_ascending else "5"
        assert [row["recordedAt"] for row in page.rows] == [f"2026-01-22T04:00:00.12345{microsecond}Z"]

    def test_one_page_is_one_statement(self, django_assert_num_queries):
        add_segments(3, TIE)

        with django_assert_num_queries(1):
            self.page(2)

    @pytest.mark.parametrize("limit", [1, 2, 7, 1_000])
    @pytest.mark.parametrize("is_ascending", [True, False])
    def test_a_walk_yields_every_row_once_while_rows_are_added(self, limit, is_ascending):
        add_segments(1_000, TIE - timedelta(hours=1), timedelta(seconds=1))
        add_segments(3_000, TIE)
        add_segments(1_000, TIE + timedelta(seconds=1), timedelta(seconds=1))
        there_at_first = set(PricingExperimentSegment.objects.values_list("event_id", flat=True))
        seen, cursor, pages = [], None, 0

        while pages == 0 or cursor:
            page = self.page(limit, cursor, is_ascending)
            seen += [uuid.UUID(row["eventId"]) for row in page.rows]
            cursor, pages = page.next_cursor, pages + 1
            if pages % max(1, 1_000 // limit) == 0:
                # Before, inside and after the tie, wherever the walk is just now.
                add_segments(3, TIE - timedelta(hours=2), timedelta(hours=2))

        assert len(there_at_first) == 5_000
        assert len(seen) == len(set(seen))
        assert there_at_first <= set(seen)

    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_a_walk_over_http_yields_every_row_once(self, api, order):
        add_segments(1_500, TIE)
        add_segments(100, TIE + timedelta(seconds=1), timedelta(seconds=1))
        seen, query = [], {"limit": "70", "order": order}

        while "cursor" not in query or query["cursor"]:
            answer = api.get(EVENTS, query).json()
            seen += [(event["recordedAt"], event["eventId"]) for event in answer["events"]]
            query["cursor"] = answer["nextCursor"]

        assert len(seen) == len(set(seen)) == 1_600
        assert seen == sorted(seen, reverse=order == "desc")


# The real tables may hold millions of rows. A fifth of one is enough for the planner to prefer a scan and a sort
# wherever an index does not give the order, and takes seconds to make rather than half a minute.
_MANY = 200_000


@pytest.mark.django_db
class TestPlans:
    def check(self, feed, index, within=None):
        """Check first pages, and deep ones after a bare cursor and after one with a tie-break, in both orders."""
        middle = TIE + timedelta(seconds=_MANY // 2)
        for is_ascending in (True, False):
            for cursor in (None, Cursor(middle), Cursor(middle, KEY)):
                page = Walk(feed, is_ascending, within).rows(cursor)[:251]
                plan = page.values(*(column.name for column in feed.columns)).explain()
                assert f"Index Scan {'' if is_ascending else 'Backward '}using {index}" in plan
                assert not any(word in plan for word in ("Sort", "Seq Scan", "Filter:", "Bitmap"))

    def test_a_page_of_segments_is_one_index_scan_however_deep(self):
        add_segments(_MANY, TIE, timedelta(seconds=1))
        self.analyze(PricingExperimentSegment)

        self.check(segments.FEED, "segments_by_time")

    def test_a_page_of_a_timeline_is_one_index_scan_however_deep(self):
        add_follow_ups(_MANY, TIE, providers=20)
        self.analyze(GuardrailFollowUp)

        self.check(followups.FEED, "followups_by_time")
        self.check(followups.FEED, "followups_by_provider", ("provider_id", "provider-7"))

    def test_a_tie_break_is_one_condition_of_the_index(self):
        plan = Walk(segments.FEED).rows(Cursor(TIE, KEY)).explain()

        assert "(ROW(recorded_at, event_id) < ROW(" in plan

    def analyze(self, model):
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {model._meta.db_table}")


@pytest.mark.django_db
def test_times_leave_with_all_their_digits():
    add_segments(1, timezone.now().replace(microsecond=0))

    page = Walk(segments.FEED).page(1)

    assert page.rows[0]["recordedAt"].endswith(".000000Z")


@pytest.mark.django_db(transaction=True)
class TestALateCommit:
    def test_an_ascending_walk_does_not_pass_a_writer_that_is_under_way(self):
        recorded, may_commit = threading.Event(), threading.Event()

        def write() -> None:
            with transaction.atomic():
                record_segment()
                recorded.set()
                may_commit.wait(30)
            connection.close()

        writer = threading.Thread(target=write)
        writer.start()
        recorded.wait(30)
        record_segment()
        walk = Walk(FEEDS["onboarding_segments"], is_ascending=True)

        assert walk.page(10).rows == []
        may_commit.set()
        writer.join()
        assert len(walk.page(10).rows) == 2
