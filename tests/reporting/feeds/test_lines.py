"""Lines of a slice: the same JSON as the shapes of Python, whatever the text holds."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import DataError
from psycopg import sql

from reporting.feeds import FEEDS
from reporting.feeds.copying import copied
from reporting.feeds.lines import Figures, RowRange, position_before
from reporting.feeds.shapes import model_of, ndjson, warehouse_rows, wire_rows
from reporting.models import PricingExperimentSegment
from smplat.lib.times import iso
from tests.database import add_segments, capture, create_follow_up
from tests.factories import quick_order_event, workflow_event

FIRST_AND_LAST = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
START = datetime(2026, 11, 8, 8, 0, 0, 123456, tzinfo=UTC)
NASTY = 'quote " backslash \\ \\n newline \n tab \t return \r bell \x07 delete \x7f emoji 🛒 é \u2028 </script>'


def segment(minutes: int = 0, **changes) -> PricingExperimentSegment:
    values = {
        "event_id": uuid4(),
        "journey_id": uuid4(),
        "order_id": uuid4(),
        "slug": "spring-offer",
        "variant_key": "a",
        "is_control": False,
        "status": "running",
        "recorded_at": START + timedelta(minutes=minutes),
    }
    return PricingExperimentSegment.objects.create(**{**values, **changes})


@pytest.fixture
def every_feed(db):
    """Rows with every kind of value in all four feeds."""
    segment(variant_name=NASTY, order_number="", is_control=True)
    segment(minutes=1, recorded_at=datetime(1970, 1, 1, tzinfo=UTC), is_control=None, status=None)
    create_follow_up(created_at=START, notes=NASTY, platform_context_id="instagram")
    create_follow_up(created_at=START, provider_name="P", conversion_href="https://x.example/?a=1&b=<2>")
    capture([quick_order_event(productTitle=NASTY, metadata={NASTY: [NASTY, 1.5, None]}, reason="r")])
    capture([quick_order_event(guardrail=None), workflow_event(), workflow_event(guardrail={})])


END = 2**62


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
@pytest.mark.usefixtures("every_feed")
class TestTheShapes:
    def test_the_wire_shape_is_that_of_python(self, feed):
        rows = model_of(feed)._default_manager.order_by(feed.time_column, feed.key_column)

        lines = list(RowRange(feed, 0, END).lines("wire"))

        assert [json.loads(line.json) for line in lines] == list(wire_rows(feed, rows))
        assert [list(json.loads(line.json)) for line in lines] == [list(row) for row in wire_rows(feed, rows)]

    def test_the_warehouse_shape_is_that_of_python(self, feed):
        rows = model_of(feed)._default_manager.order_by(feed.time_column, feed.key_column)

        lines = list(RowRange(feed, 0, END).lines("warehouse"))

        assert [json.loads(line.json) for line in lines] == list(warehouse_rows(feed, rows))

    def test_a_line_is_one_line(self, feed):
        lines = [line.json for line in RowRange(feed, 0, END).lines("wire")]

        assert len(lines) == model_of(feed)._default_manager.count() > 0
        assert [line for line in lines if b"\n" in line] == []


@pytest.mark.parametrize("feed", [FEEDS["onboarding_segments"], FEEDS["guardrail_followups"]], ids=lambda f: f.key)
@pytest.mark.usefixtures("every_feed")
def test_a_flat_feed_is_byte_for_byte_what_the_rest_list_would_be(feed):
    rows = model_of(feed)._default_manager.order_by(feed.time_column, feed.key_column)

    lines = [line.json + b"\n" for line in RowRange(feed, 0, END).lines("wire")]

    assert lines == [ndjson(row) for row in wire_rows(feed, rows)]


#: What JSON, COPY and the form each treat in a way of their own, and what may be taken for it.
HOSTILE = (
    *(f"a{chr(code)}b" for code in range(1, 0x20)),
    *(
        "",
        "\\",
        "\\\\",
        "\\N",
        '"\\N"',
        "\\v",
        "\\\\v",
        "\\\x0b",
        '\\"',
        '"',
        '""',
        "null",
        "%b",
        "%",
        "\\.",
        "\x7f",
        "a\\",
    ),
    *('"platformContext":{"id":null,"label":null,"handle":null,"platformType":null}', NASTY, "\u0085\u2028🛒"),
)


@pytest.mark.django_db
class TestBlocks:
    """The bytes of an export, which no Python object of a row stands behind."""

    @pytest.fixture(params=["wire", "warehouse"])
    def shape(self, request) -> str:
        return str(request.param)

    @pytest.mark.parametrize("texts", [HOSTILE, (None,)], ids=["hostile", "null"])
    def test_a_segments_bytes_are_those_of_its_line(self, shape, texts):
        for number, text in enumerate(texts):
            control = (True, False, None)[number % 3]
            segment(number, order_number=text, variant_key=text or "", variant_name=text, is_control=control)
            segment(
                number, slug=text or "", status=text, feature_flag_key="plain", recorded_at=FIRST_AND_LAST[number % 2]
            )
        rows = RowRange(FEEDS["onboarding_segments"], 0, END)

        blocks = list(rows.blocks(shape))

        assert b"".join(block.data for block in blocks) == b"".join(line.json + b"\n" for line in rows.lines(shape))
        assert sum(block.rows for block in blocks) == rows.count() == 2 * len(texts)

    def test_a_follow_ups_bytes_are_those_of_its_line(self, shape):
        for text in (*HOSTILE, None):
            create_follow_up(notes=text, platform_context_label=text)
            create_follow_up(provider_name=text, platform_context_type=text)
        rows = RowRange(FEEDS["guardrail_followups"], 0, END)

        data = b"".join(block.data for block in rows.blocks(shape))

        assert data == b"".join(line.json + b"\n" for line in rows.lines(shape))

    @pytest.mark.usefixtures("every_feed")
    @pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
    def test_every_feed_has_them(self, feed, shape):
        rows = RowRange(feed, 0, END)

        data = b"".join(block.data for block in rows.blocks(shape))

        assert data == b"".join(line.json + b"\n" for line in rows.lines(shape))

    def test_many_rows_come_in_several_blocks(self, shape):
        add_segments(1_000)
        rows = RowRange(FEEDS["onboarding_segments"], 0, END)

        blocks = list(rows.blocks(shape))

        assert len(blocks) > 1
        assert all(block.data.count(b"\n") == block.rows for block in blocks)
        assert b"".join(block.data for block in blocks) == b"".join(line.json + b"\n" for line in rows.lines(shape))

    @pytest.mark.django_db(transaction=True)
    def test_a_reader_that_goes_away_leaves_the_session_free(self):
        add_segments(20_000)
        blocks = RowRange(FEEDS["onboarding_segments"], 0, END).blocks("wire")
        next(blocks)

        del blocks

        assert PricingExperimentSegment.objects.count() == 20_000

    def test_a_statement_that_fails_says_so(self):
        broken = sql.SQL("COPY (SELECT 1 / (3 - number) FROM generate_series(1, 9) AS number) TO STDOUT")

        with pytest.raises(DataError, match="division by zero"):
            list(copied(broken))


@pytest.mark.django_db
class TestFigures:
    feed = FEEDS["onboarding_segments"]

    def test_they_are_those_of_the_lines(self):
        for minutes in (3, 1, 2):
            segment(minutes)
        rows = RowRange(self.feed, 0, END)

        assert rows.figures() == Figures.of(list(rows.lines("wire")))

    def test_of_nothing_there_are_none(self):
        rows = RowRange(self.feed, 0, END)

        assert (rows.figures(), rows.newest()) == (Figures(), None)

    def test_they_add_up(self):
        for minutes in range(4):
            segment(-minutes)
        lines = list(RowRange(self.feed, 0, END).lines("wire"))

        assert Figures.of(lines[:1]) + Figures() + Figures.of(lines[1:]) == Figures() + Figures.of(lines)

    def test_the_newest_row_is_the_last_by_position(self):
        segment(5)
        last = segment(1)

        newest = RowRange(self.feed, 0, END).newest()

        assert newest is not None
        assert (newest.key, newest.time) == (str(last.pk), iso(last.recorded_at))


@pytest.mark.django_db
class TestPartsByTime:
    feed = FEEDS["onboarding_segments"]

    def test_together_they_are_the_whole_in_its_order(self):
        for minutes in (0, 5, 3, 3, 3, 9, 1, 2, 2):
            segment(minutes)
        rows = RowRange(self.feed, 0, END, since=START + timedelta(minutes=1))

        parts = rows.by_time(3)

        assert len(parts) == 3
        assert [line for part in parts for line in part.lines("wire")] == list(rows.lines("wire"))

    def test_rows_of_one_time_stay_together(self):
        for _ in range(9):
            segment()
        rows = RowRange(self.feed, 0, END)

        assert sorted(part.count() for part in rows.by_time(4))[-1] == 9
        assert [line for part in rows.by_time(4) for line in part.lines("wire")] == list(rows.lines("wire"))

    def test_of_nothing_there_is_one(self):
        rows = RowRange(self.feed, 0, END)

        assert rows.by_time(3) == [rows]


@pytest.mark.django_db
class TestSlices:
    feed = FEEDS["onboarding_segments"]

    def ids(self, part: RowRange) -> list[str]:
        return [line.key for line in part.lines("wire")]

    def test_it_lies_between_its_positions(self):
        rows = [segment(minutes) for minutes in range(5)]
        positions = list(PricingExperimentSegment.objects.order_by("position").values_list("position", flat=True))

        assert self.ids(RowRange(self.feed, positions[0], positions[3])) == [str(row.pk) for row in rows[1:4]]

    def test_ties_come_by_key(self):
        rows = [segment() for _ in range(5)]

        assert self.ids(RowRange(self.feed, 0, END)) == sorted(str(row.pk) for row in rows)

    def test_the_first_rows_are_the_first_by_position(self):
        rows = [segment(minutes=-minutes) for minutes in range(5)]

        assert set(self.ids(RowRange(self.feed, 0, END).first(2))) == {str(row.pk) for row in rows[:2]}
        assert len(self.ids(RowRange(self.feed, 0, END).first(9))) == 5

    def test_up_to_a_time_it_leaves_no_gap(self):
        kept, late, behind = segment(0), segment(10), segment(1)

        part = RowRange(self.feed, 0, END).up_to_time(START + timedelta(minutes=5))

        assert self.ids(part) == [str(kept.pk)]
        assert late.pk != behind.pk

    def test_a_time_resumes_inclusive(self):
        segment(0)
        second, third = segment(1), segment(2)

        after = position_before(self.feed, second.recorded_at)

        assert self.ids(RowRange(self.feed, after, 2**62, since=second.recorded_at)) == [str(second.pk), str(third.pk)]

    def test_the_size_tells_rows_bytes_and_keys(self):
        rows = [segment(minutes) for minutes in range(3)]
        part = RowRange(self.feed, 0, END)

        size = part.size("wire")

        assert size.rows == 3
        assert size.bytes == sum(len(line.json) + 1 for line in part.lines("wire"))
        assert (size.first_key, size.last_key) == (str(rows[0].pk), str(rows[2].pk))

    def test_one_provider_can_be_kept_to(self):
        create_follow_up()
        other = create_follow_up(provider_id="it's")

        part = RowRange(FEEDS["guardrail_followups"], 0, END, provider_id="it's")

        assert self.ids(part) == [str(other.pk)]
