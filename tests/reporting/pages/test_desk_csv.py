"""CSV files: what they hold, how they stream, who may have them."""

import csv
import io
import json
import re
import tracemalloc
import uuid

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from psycopg import sql

from reporting.feeds import FEEDS
from reporting.feeds import csv as feed_csv
from reporting.feeds.csv import csv_file
from reporting.feeds.listings import Arrivals, Listing
from reporting.feeds.shapes import model_of, warehouse_rows
from reporting.models import AuditEntry, PricingExperimentSegment
from reporting.recording import segments
from telemetry.models import QuickOrderEvent
from tests.database import capture, create_follow_up, database_url, record_segment
from tests.factories import experiment, quick_order_event, workflow_event

REPORTS, ONBOARDING = "/admin/reports", "/admin/onboarding"
CSV, ONBOARDING_CSV = "/admin/reports/feeds/quick_order/csv", "/admin/onboarding/csv"
FEED = FEEDS["quick_order"]
MEBIBYTE = 1_048_576
FILL = """
INSERT INTO telemetry_quickorderevent (event_id, recorded_at, metadata, event, event_name)
SELECT gen_random_uuid(), now(), jsonb_build_object('note', repeat(md5(number::text), %s)), '{}', 'quick_order.start'
FROM generate_series(1, %s) AS number
"""


def fill(rows: int, note_repeats: int = 1) -> None:
    """Store quick orders whose notes have 32 bytes times ``note_repeats``."""
    with connection.cursor() as cursor:
        cursor.execute(FILL, [note_repeats, rows])


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def table(answer) -> list[list[str]]:
    assert answer.status_code == 200, answer.content
    return read(answer.getvalue())


def ids(answer) -> list[str]:
    return [row[0] for row in table(answer)[1:]]


def newest_first() -> list[str]:
    return [str(key) for key in QuickOrderEvent.objects.order_by("-position").values_list("event_id", flat=True)]


@pytest.mark.django_db
class TestCells:
    def test_every_feed_gives_the_values_of_its_warehouse_shape(self, operator):
        capture([quick_order_event(), workflow_event()])
        record_segment(is_control=None, status=None, assignment_strategy="sequential")
        create_follow_up(notes="two\nlines")

        for feed in FEEDS.values():
            header, line = table(operator.get(f"/admin/reports/feeds/{feed.key}/csv"))
            (row,) = warehouse_rows(feed, model_of(feed)._default_manager.all())
            texts = {None: "", True: "true", False: "false"}
            for name, cell in zip(header, line, strict=True):
                value = row[name]
                assert (json.loads(cell) if isinstance(value, dict) else cell) == (
                    value if isinstance(value, dict) else texts.get(value, value)
                )

    @pytest.mark.parametrize("start", list("=+-@\t\r\n＝＋－＠"), ids=lambda start: f"U+{ord(start):04X}")
    def test_a_cell_that_a_spreadsheet_would_run_is_defused(self, operator, start):
        capture([quick_order_event(productTitle=f"{start}HYPERLINK(1)")])

        assert table(operator.get(CSV))[1][4] == f"'{start}HYPERLINK(1)"

    @pytest.mark.parametrize("title", ["a=1", "1-2", "'quoted", "", " =1"])
    def test_other_cells_stay_as_they_are(self, operator, title):
        capture([quick_order_event(productTitle=title)])

        assert table(operator.get(CSV))[1][4] == title

    def test_quotes_line_breaks_markup_and_any_script_survive(self, operator):
        title = 'a "quoted", title\r\nin\ntwo\rlines \\n \\. <script>alert(1)</script> 🛒 ünï 漢字 %s {0}'
        capture([quick_order_event(productTitle=title)])

        assert table(operator.get(CSV))[1][4] == title

    def test_a_text_of_10_000_characters_is_whole(self, operator):
        record_segment()
        PricingExperimentSegment.objects.update(variant_name="n" * 10_000)

        assert table(operator.get(ONBOARDING_CSV))[1][6] == "n" * 10_000

    def test_rows_end_as_rfc_4180_says(self, operator):
        capture([quick_order_event() for _ in range(3)])

        content = operator.get(CSV).getvalue()

        assert content.count(b"\r\n") == content.count(b"\n") == 4


@pytest.mark.django_db
class TestBatches:
    def test_the_latest_batch_is_the_default(self, operator):
        fill(300)

        assert ids(operator.get(CSV)) == newest_first()[:250]

    @pytest.mark.parametrize("rows", [100, 250, 500, 1_000])
    def test_next_pages_hold_every_row_once(self, operator, rows):
        fill(1_100)
        walked, before = [], None
        while True:
            walked += ids(operator.get(CSV, {"rows": rows, "before": before or ""}))
            page = operator.get(REPORTS, {"rows": "quick_order", "batch": rows, "before": before or ""})
            before = page.context["rows"]["csv"].batch.next_before
            if before is None:
                break

        assert walked == newest_first()

    def test_rows_that_arrive_between_two_pages_move_nothing(self, operator):
        fill(200)
        expected = newest_first()
        first = ids(operator.get(CSV, {"rows": 100}))
        before = operator.get(REPORTS, {"batch": 100}).context["rows"]["csv"].batch.next_before
        fill(50)

        assert first + ids(operator.get(CSV, {"rows": 100, "before": before})) == expected

    def test_an_empty_feed_gives_a_header(self, operator):
        assert table(operator.get(CSV)) == [[column.name for column in FEED.columns]]

    def test_everything_is_longer_than_a_chunk(self, operator, monkeypatch):
        monkeypatch.setattr(feed_csv, "_CHUNK_ROWS", 100)
        monkeypatch.setattr(feed_csv, "_LATER_ROWS", 150)
        fill(450)

        assert ids(operator.get(CSV, {"rows": "all"})) == newest_first()
        assert len(ids(operator.get(CSV, {"rows": "250"}))) == 250

    @pytest.mark.parametrize(
        ("query", "name"),
        [
            ({"rows": "7"}, "rows"),
            ({"rows": ""}, "rows"),
            ({"rows": "-100"}, "rows"),
            ({"before": "x"}, "before"),
            ({"before": "-1"}, "before"),
            ({"before": "9" * 40}, "before"),
            ({"before": "\x00"}, "before"),
            ({"before": "²"}, "before"),
            ({"bom": "yes"}, "bom"),
        ],
    )
    def test_a_parameter_that_is_not_allowed_is_named(self, operator, query, name):
        for path in (CSV, ONBOARDING_CSV):
            answer = operator.get(path, query)

            assert answer.status_code == 400
            assert f"{name}: " in answer.content.decode()
        assert not AuditEntry.objects.exists()

    def test_there_is_no_file_of_an_unknown_feed(self, operator):
        assert operator.get("/admin/reports/feeds/nothing/csv").status_code == 404


@pytest.mark.django_db
class TestFile:
    def test_its_name_carries_the_feed_and_the_time(self, operator):
        names = [operator.get(path)["Content-Disposition"] for path in (CSV, ONBOARDING_CSV)]

        pattern = r'attachment; filename="(.+)-\d{8}T\d{6}Z\.csv"'
        assert [re.findall(pattern, name) for name in names] == [["quick-order"], ["onboarding-segments"]]

    def test_it_has_a_byte_order_mark_only_where_that_is_asked_for(self, operator):
        assert operator.get(CSV, {"bom": "1"}).getvalue().startswith(b"\xef\xbb\xbfevent_id,")
        assert operator.get(CSV).getvalue().startswith(b"event_id,")

    def test_no_cache_keeps_it(self, operator):
        assert "no-store" in operator.get(CSV)["Cache-Control"]


@pytest.mark.django_db
class TestStream:
    @pytest.mark.parametrize(("rows", "note_repeats"), [(20_000, 64), (40, 32_768)])
    def test_many_rows_and_large_ones_take_little_memory(self, rows, note_repeats):
        fill(rows, note_repeats)
        tracemalloc.start()
        size = sum(len(block) for block in csv_file(Arrivals(FEED), None, None, with_bom=False))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert size > 40 * MEBIBYTE
        assert peak < 14 * MEBIBYTE

    def test_the_header_comes_before_any_row_is_read(self):
        fill(1)

        stream = csv_file(Arrivals(FEED), None, None, with_bom=False)

        assert next(stream) == b",".join(column.name.encode() for column in FEED.columns) + b"\r\n"
        QuickOrderEvent.objects.all().delete()
        assert list(stream) == []

    def test_rows_added_meanwhile_are_left_out_and_none_comes_twice(self):
        fill(10_000)
        expected = newest_first()
        stream = csv_file(Arrivals(FEED), None, None, with_bom=False)
        blocks = [next(stream), next(stream)]
        for block in stream:
            blocks.append(block)
            fill(5)

        assert len(blocks) > 5
        assert [row[0] for row in read(b"".join(blocks))[1:]] == expected

    def test_the_database_session_is_free_while_a_reader_takes_its_time(self):
        fill(5_000)
        stream = csv_file(Arrivals(FEED), None, None, with_bom=False)
        next(stream)
        next(stream)

        assert QuickOrderEvent.objects.count() == 5_000
        assert sum(block.count(b"\r\n") for block in stream) > 3_000

    def test_a_reader_that_goes_away_ends_it(self):
        fill(5_000)
        stream = csv_file(Arrivals(FEED), None, None, with_bom=False)
        next(stream)
        next(stream)

        stream.close()

        assert list(stream) == []
        assert QuickOrderEvent.objects.count() == 5_000


def arrivals_broken_at(position: int) -> Listing:
    """Arrivals of which the one at ``position`` cannot be read."""

    class Broken(Arrivals):
        mark_sql = sql.SQL("position + 0 / (position - {})").format(sql.Literal(position))

    return Broken(FEED)


class TestTrouble:
    @pytest.mark.django_db(transaction=True)
    def test_a_session_that_the_database_ends_costs_no_row(self):
        fill(5_000)
        stream = csv_file(Arrivals(FEED), None, None, with_bom=False)
        blocks = [next(stream), next(stream)]
        with psycopg.connect(database_url(), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])

        blocks += stream

        assert [row[0] for row in read(b"".join(blocks))[1:]] == newest_first()

    @pytest.mark.django_db
    def test_a_file_that_breaks_off_says_so_in_its_last_row(self):
        fill(5_000)
        broken = QuickOrderEvent.objects.order_by("position")[10].position

        *rows, last = read(b"".join(csv_file(arrivals_broken_at(broken), None, None, with_bom=False)))

        assert len(rows) == 1 + 2_000
        assert last == ["INCOMPLETE: the database could not be read to the end. Download this file again."]


@pytest.mark.django_db
class TestOnboardingCsv:
    def test_it_holds_what_the_filters_let_through(self, operator):
        kept = [str(record_segment("spring", "bundle", status="paused")) for _ in range(3)]
        record_segment("spring", "control", status="paused")
        record_segment("autumn", "bundle", status="paused")
        record_segment("spring", "bundle")

        answer = operator.get(ONBOARDING_CSV, {"slug": "spring", "variant": "bundle", "status": "paused"})

        assert ids(answer) == kept[::-1]

    def test_next_pages_hold_every_row_once_ties_included(self, operator):
        segments.record(uuid.uuid4(), [experiment("spring", f"v{number}") for number in range(260)])
        pages, before = [], None
        while True:
            query = {"slug": "spring", "batch": "100"} | ({"before": before} if before else {})
            page = operator.get(ONBOARDING, query)
            pages.append(ids(operator.get(ONBOARDING_CSV, {**query, "rows": "100"})))
            before = page.context["csv"].batch.next_before
            if before is None:
                break

        walked = [key for page in pages for key in page]
        assert [len(page) for page in pages] == [100, 100, 60]
        assert sorted(walked) == sorted(map(str, PricingExperimentSegment.objects.values_list("pk", flat=True)))

    def test_everything_goes_on_behind_a_chunk(self, operator, monkeypatch):
        monkeypatch.setattr(feed_csv, "_CHUNK_ROWS", 7)
        monkeypatch.setattr(feed_csv, "_LATER_ROWS", 5)
        segments.record(uuid.uuid4(), [experiment("spring", f"v{number}") for number in range(20)])
        record_segment("autumn")

        assert len(set(ids(operator.get(ONBOARDING_CSV, {"rows": "all", "status": "running"})))) == 21
        assert len(set(ids(operator.get(ONBOARDING_CSV, {"rows": "all", "slug": "spring"})))) == 20

    def test_a_filter_that_is_not_allowed_is_named(self, operator):
        answer = operator.get(ONBOARDING_CSV, {"since": "yesterday"})

        assert answer.status_code == 400
        assert "since: Must be a day such as 2026-01-22." in answer.content.decode()


@pytest.mark.django_db
class TestConditional:
    def tag(self, operator, path=CSV, **query):
        return operator.get(path, query)["ETag"]

    def test_who_has_the_batch_is_told_so_and_has_downloaded_nothing(self, operator):
        fill(3)
        tag = self.tag(operator)
        downloads = AuditEntry.objects.count()

        answer = operator.get(CSV, headers={"If-None-Match": tag})

        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
        assert {"no-store", "private"} <= set(answer["Cache-Control"].split(", "))
        assert AuditEntry.objects.count() == downloads == 1

    def test_a_batch_with_a_new_row_is_sent_and_one_behind_it_is_not(self, operator):
        fill(200)
        before = operator.get(REPORTS, {"batch": 100}).context["rows"]["csv"].batch.next_before
        newest, older = self.tag(operator, rows="100"), self.tag(operator, rows="100", before=before)
        fill(1)

        assert operator.get(CSV, {"rows": "100"}, headers={"If-None-Match": newest}).status_code == 200
        again = {"rows": "100", "before": before}
        assert operator.get(CSV, again, headers={"If-None-Match": older}).status_code == 304

    def test_a_batch_of_which_a_row_was_pruned_is_sent(self, operator):
        fill(3)
        tag = self.tag(operator)
        QuickOrderEvent.objects.earliest("position").delete()

        assert operator.get(CSV, headers={"If-None-Match": tag}).status_code == 200

    def test_a_mark_for_excel_is_another_file(self, operator):
        fill(3)

        assert self.tag(operator) != self.tag(operator, bom="1")

    def test_the_filtered_batch_has_a_tag_of_its_own(self, operator):
        record_segment(slug="spring")
        record_segment(slug="summer")
        spring = self.tag(operator, ONBOARDING_CSV, slug="spring")

        for slug, status in {"spring": 304, "summer": 200, "": 200}.items():
            answer = operator.get(ONBOARDING_CSV, {"slug": slug}, headers={"If-None-Match": spring})
            assert answer.status_code == status

    def test_everything_has_no_tag_since_finding_it_would_read_everything(self, operator):
        assert "ETag" not in operator.get(CSV, {"rows": "all"})

    def test_without_the_permission_nothing_is_learnt(self, operator, staff_with):
        tag = self.tag(operator)

        assert staff_with("reporting.view_exportrun").get(CSV, headers={"If-None-Match": tag}).status_code == 403


@pytest.mark.django_db
class TestWho:
    @pytest.mark.parametrize("path", [CSV, ONBOARDING_CSV])
    def test_without_the_permission_to_export_there_is_no_file(self, client, staff_with, path):
        assert client.get(path).status_code == 302
        assert staff_with("reporting.view_exportrun").get(path).status_code == 403
        assert staff_with("reporting.export_data", "reporting.view_exportrun").get(path).status_code == 200

    @pytest.mark.parametrize("path", [REPORTS, ONBOARDING])
    def test_without_the_permission_to_export_there_are_no_controls(self, operator, staff_with, path):
        record_segment()
        query = {"rows": "onboarding_segments"}

        assert "/csv" in operator.get(path, query).content.decode()
        assert "/csv" not in staff_with("reporting.view_exportrun").get(path, query).content.decode()

    def test_a_download_is_in_the_audit_log(self, operator):
        position = str(10**6)
        operator.get(CSV, {"rows": "500", "before": position}).getvalue()
        operator.get(ONBOARDING_CSV, {"rows": "all", "slug": "spring", "status": ""}).getvalue()

        second, first = AuditEntry.objects.newest(2)
        assert (first.username, first.action, first.subject) == ("operator", "download_csv", "quick_order")
        assert first.details == {"rows": 500, "before": position, "filters": {}}
        assert second.subject == "onboarding_segments"
        assert second.details == {"rows": "all", "before": None, "filters": {"slug": "spring"}}
        assert first.user == User.objects.get()
