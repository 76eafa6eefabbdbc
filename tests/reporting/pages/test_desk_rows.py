"""Rows of the feeds in tabs, and the page of a record."""

import re
import uuid

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting.feeds import FEEDS
from reporting.models import Checkpoint
from reporting.pages import rows
from telemetry.models import QuickOrderEvent
from tests.database import capture, create_follow_up, record_segment
from tests.factories import quick_order_event, workflow_event

REPORTS = "/admin/reports"


def rows_of(answer) -> str:
    """The section of the rows, as it was sent."""
    section: str = re.findall(r'<section [^>]*id="rows".*?</section>', answer.content.decode(), re.DOTALL)[0]
    return section


def shown(answer) -> list[str]:
    return [str(key) for key, _ in answer.context["rows"]["shown"]]


def record_path(feed: str, key) -> str:
    return f"/admin/reports/feeds/{feed}/records/{key}"


@pytest.mark.django_db
class TestTabs:
    def test_there_is_a_tab_for_every_feed_and_one_is_on_show(self, operator):
        section = rows_of(operator.get(REPORTS, {"rows": "guardrail_workflow"}))

        for feed in FEEDS.values():
            assert f'href="/admin/reports?rows={feed.key}#rows"' in section
        assert re.findall(r'aria-current="true">([^<]+)<', section) == ["Guardrail workflow telemetry"]

    def test_the_tabs_keep_what_else_the_page_was_asked_for(self, operator):
        section = rows_of(operator.get(REPORTS, {"conversionCursor": "a&b", "rows": "quick_order", "before": "5"}))

        assert 'href="/admin/reports?conversionCursor=a%26b&amp;rows=guardrail_followups#rows"' in section

    def test_only_the_rows_of_the_tab_are_read_by_two_queries(self):
        capture([quick_order_event(), workflow_event()])
        record_segment()

        with CaptureQueriesContext(connection) as queries:
            rows.section(RequestFactory().get(REPORTS, {"rows": "onboarding_segments"}))

        assert len(queries) == 2
        assert all('FROM "reporting_pricingexperimentsegment"' in query["sql"] for query in queries)
        assert all("LIMIT" in query["sql"] for query in queries)

    def test_the_newest_25_are_shown_by_arrival(self, operator):
        capture([quick_order_event() for _ in range(30)])

        keys = QuickOrderEvent.objects.order_by("-position").values_list("event_id", flat=True)
        assert shown(operator.get(REPORTS)) == [str(key) for key in keys[:25]]

    def test_the_pages_hold_every_row_once(self, operator):
        capture([quick_order_event() for _ in range(60)])
        walked, url = [], REPORTS
        while url:
            answer = operator.get(url)
            walked += shown(answer)
            url = answer.context["rows"]["older"]

        keys = QuickOrderEvent.objects.order_by("-position").values_list("event_id", flat=True)
        assert walked == [str(key) for key in keys]

    def test_an_unknown_feed_shows_the_first_tab_with_a_sentence(self, operator):
        capture([quick_order_event()])

        answer = operator.get(REPORTS, {"rows": "<b>nothing"})

        assert answer.status_code == 200
        assert "there is no such feed" in rows_of(answer)
        assert len(shown(answer)) == 1

    @pytest.mark.parametrize("query", [{"before": "soon"}, {"before": "9" * 30}, {"batch": "7"}, {"batch": "²"}])
    def test_a_bad_place_is_named_and_the_newest_rows_are_shown(self, operator, query):
        capture([quick_order_event()])

        answer = operator.get(REPORTS, query)

        assert f"{next(iter(query))}: must be" in rows_of(answer)
        assert len(shown(answer)) == 1

    @pytest.mark.parametrize("feed", FEEDS)
    def test_an_empty_tab_says_where_rows_come_from(self, operator, feed):
        section = rows_of(operator.get(REPORTS, {"rows": feed}))

        assert "No rows yet" in section
        assert "<table>" not in section

    def test_behind_the_oldest_row_there_is_a_way_back(self, operator):
        capture([quick_order_event()])

        section = rows_of(operator.get(REPORTS, {"before": "1"}))

        assert "There are no rows before position 1" in section
        assert 'href="/admin/reports?#rows"' in section

    def test_the_choice_of_a_batch_keeps_the_tab_and_the_rest_of_the_page(self, operator):
        capture([workflow_event()])

        section = rows_of(operator.get(REPORTS, {"rows": "guardrail_workflow", "conversionCursor": "s"}))

        assert '<input type="hidden" name="rows" value="guardrail_workflow">' in section
        assert '<input type="hidden" name="conversionCursor" value="s">' in section

    def test_markup_in_a_row_is_inert_and_long_values_are_cut(self, operator):
        capture([quick_order_event(productTitle="<script>alert(1)</script>", metadata={"a": "x" * 9_000})])

        section = rows_of(operator.get(REPORTS))

        assert "<script>alert" not in section
        assert "&lt;script&gt;alert(1)" in section
        assert "x" * 200 not in section


@pytest.mark.django_db
class TestRecord:
    def test_the_key_of_a_row_leads_to_its_record(self, operator):
        event = quick_order_event()
        capture([event])

        path = record_path("quick_order", event["id"])
        assert f'href="{path}"' in rows_of(operator.get(REPORTS))
        assert operator.get(path).status_code == 200

    def test_it_shows_the_columns_the_wire_shape_and_the_event_of_the_client(self, operator):
        event = quick_order_event(id="evt_1731052800000_a1b2c3", surplus={"kept": "as it came"})
        capture([event])
        row = QuickOrderEvent.objects.get()

        answer = operator.get(record_path("quick_order", row.event_id))

        page = answer.content.decode()
        for column in FEEDS["quick_order"].columns:
            assert f"<code>{column.name}</code>" in page
        assert "&quot;originalId&quot;: &quot;evt_1731052800000_a1b2c3&quot;" in page
        assert "as it came" in page
        assert f"<dd>{row.position}</dd>" in page
        assert "Received" in page

    def test_a_row_of_the_database_alone_has_no_event_of_a_client(self, operator):
        page = operator.get(record_path("onboarding_segments", record_segment())).content.decode()

        assert "As it left the client" not in page
        assert "spring-offer" in page

    def test_what_a_storefront_did_not_send_reads_unknown(self, operator):
        key = record_segment(variant_name=None, is_control=None, status=None)

        page = operator.get(record_path("onboarding_segments", key)).content.decode()

        assert page.count("<dd>unknown</dd>") == 5
        assert "unknown" in operator.get("/admin/reports", {"rows": "onboarding_segments"}).content.decode()

    def test_it_says_whether_the_row_is_exported(self, operator):
        key = record_segment()
        path = record_path("onboarding_segments", key)
        assert "it waits for the next run" in operator.get(path).content.decode()

        Checkpoint.objects.create(feed="onboarding_segments", position=10**9, cursor=timezone.now(), rows=1)

        assert "the checkpoint stands at position 1000000000" in operator.get(path).content.decode()

    def test_long_and_hostile_texts_are_whole_and_inert(self, operator):
        title = "<img src=x onerror=alert(1)>" + "n" * 9_000
        follow_up = create_follow_up(notes=title)

        page = operator.get(record_path("guardrail_followups", follow_up.pk)).content.decode()

        assert "<img src=x" not in page
        assert "n" * 9_000 in page

    @pytest.mark.parametrize(
        ("href", "is_linked"),
        [
            ("https://shop.example/conversions?a=1", True),
            ("javascript:alert(1)", False),
            ("data:text/html,x", False),
            ("https://x\n.example", False),
        ],
    )
    def test_only_http_addresses_are_links(self, operator, href, is_linked):
        follow_up = create_follow_up(conversion_href=href)

        page = operator.get(record_path("guardrail_followups", follow_up.pk)).content.decode()

        assert (f'href="{href}"' in page) is is_linked

    @pytest.mark.parametrize(
        "path",
        [
            record_path("quick_order", uuid.UUID(int=7)),
            record_path("quick_order", "no-uuid"),
            record_path("nothing", uuid.UUID(int=7)),
        ],
    )
    def test_what_is_not_there_is_not_found(self, operator, path):
        assert operator.get(path).status_code == 404

    def test_it_needs_the_permission_to_view(self, staff_with):
        path = record_path("onboarding_segments", record_segment())

        assert staff_with().get(path).status_code == 403
        assert staff_with("reporting.view_exportrun").get(path).status_code == 200

    def test_it_takes_few_queries(self, operator, django_assert_max_num_queries):
        path = record_path("onboarding_segments", record_segment())

        with django_assert_max_num_queries(7):
            operator.get(path)
