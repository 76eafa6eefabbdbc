"""The onboarding page: filters, pages, counts, and the journey of an order."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from reporting.insights import assignments
from reporting.models import OnboardingJourney, OnboardingJourneyEvent, PricingExperimentSegment
from reporting.pages import onboarding
from reporting.recording import segments
from smplat.lib.query_timeout import QueryTimeoutError
from tests.database import capture, database_url, export, record_segment
from tests.factories import experiment, quick_order_event
from tests.fakes import Reply, fake_server

ONBOARDING = "/admin/onboarding"
NOON = datetime(2026, 11, 8, 12, tzinfo=UTC)


def shown(answer) -> list[uuid.UUID]:
    assert answer.status_code == 200, answer.content.decode()
    return [row["event_id"] for row in answer.context["shown"]]


def text(answer) -> str:
    return " ".join(answer.content.decode().split())


def funnel_of(answer) -> str:
    """The comparison of storefront and export."""
    page = text(answer)
    start = page.index('<section class="desk-section" id="funnel"')
    return page[start : page.index("</section>", start)]


def at(key: uuid.UUID, moment: datetime) -> uuid.UUID:
    """Set the time of an assignment."""
    PricingExperimentSegment.objects.filter(pk=key).update(recorded_at=moment)
    return key


@pytest.mark.django_db
class TestFilters:
    def test_without_filters_the_newest_come_first(self, operator):
        keys = [record_segment(f"slug-{number}") for number in range(3)]

        assert shown(operator.get(ONBOARDING)) == keys[::-1]

    @pytest.mark.parametrize(
        ("query", "changes"),
        [
            ({"slug": "autumn"}, {"slug": "autumn"}),
            ({"variant": "other"}, {"variant_key": "other"}),
            ({"status": "paused"}, {"status": "paused"}),
            ({"strategy": "hash"}, {"assignment_strategy": "hash"}),
            ({"slug": "spring-offer", "variant": "other"}, {"variant_key": "other"}),
            ({"variant": "bundle", "status": "paused"}, {"status": "paused"}),
            (
                {"slug": "autumn", "status": "running", "strategy": "hash"},
                {"slug": "autumn", "assignment_strategy": "hash"},
            ),
        ],
    )
    def test_each_filter_leaves_what_matches(self, operator, query, changes):
        record_segment()
        matching = [record_segment(**changes) for _ in range(2)]
        record_segment("zzz", "aaa", status="draft", assignment_strategy="zzz")
        record_segment("aaa", "zzz", status="aaa")

        assert shown(operator.get(ONBOARDING, query)) == matching[::-1]

    def test_an_order_is_found_by_its_number_and_by_its_id(self, operator):
        order = uuid.uuid4()
        (key,) = segments.record(order, [experiment()], order_number="SO-7")
        record_segment()

        for given in ("SO-7", str(order), str(order).upper()):
            assert shown(operator.get(ONBOARDING, {"order": given})) == [key]
        assert shown(operator.get(ONBOARDING, {"order": "SO"})) == []

    def test_days_are_whole_and_in_utc(self, operator):
        first = at(record_segment(), datetime(2026, 11, 8, tzinfo=UTC))
        last = at(record_segment(), datetime(2026, 11, 9, 23, 59, 59, 999_999, tzinfo=UTC))
        at(record_segment(), datetime(2026, 11, 7, 23, 59, 59, tzinfo=UTC))
        at(record_segment(), datetime(2026, 11, 10, tzinfo=UTC))

        query = {"since": "2026-11-08", "until": "2026-11-09"}
        assert shown(operator.get(ONBOARDING, query)) == [last, first]
        assert shown(operator.get(ONBOARDING, {**query, "slug": "spring-offer"})) == [last, first]

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ({"since": "yesterday"}, "Must be a day such as 2026-01-22."),
            ({"until": "2026-13-01"}, "Must be a day such as 2026-01-22."),
            ({"since": "0001-01-01"}, "Must lie between 1970-01-01 and 2199-12-31."),
            ({"until": "9999-12-31"}, "Must lie between 1970-01-01 and 2199-12-31."),
            ({"since": "2026-02-02", "until": "2026-02-01"}, "Must not lie before the first day."),
            ({"slug": "s" * 256}, "Must be a string of at most 255 characters."),
            ({"order": "o" * 101}, "Must be a string of at most 100 characters."),
            ({"status": "a\x00b"}, "Null characters are not allowed."),
            ({"before": "soon"}, "before: Must be a time such as"),
            ({"before": "2026-02-30T00:00:00Z"}, "before: Holds a time that does not exist"),
            ({"batch": "7"}, "batch: must be one of 100, 250, 500, 1000."),
        ],
    )
    def test_a_bad_value_is_named_with_what_is_allowed(self, operator, query, sentence):
        record_segment()

        answer = operator.get(ONBOARDING, query)

        assert answer.status_code == 400
        assert sentence in text(answer)

    def test_what_was_typed_stands_in_the_form_and_is_inert(self, operator):
        page = text(operator.get(ONBOARDING, {"slug": '"><script>alert(1)</script>', "since": "2026-11-08"}))

        assert "<script>alert(1)" not in page
        assert 'value="2026-11-08"' in page
        assert "No assignment matches all of these filters" in page

    def test_every_filter_has_a_label(self, operator):
        page = text(operator.get(ONBOARDING))

        for name in ("slug", "variant", "status", "strategy", "order", "since", "until"):
            assert f'<label for="id_{name}">' in page

    def test_an_empty_page_says_where_assignments_come_from(self, operator):
        assert "No assignments yet. The storefront records them" in text(operator.get(ONBOARDING))

    def test_texts_of_the_storefront_are_inert_and_cut(self, operator):
        record_segment("<b>slug</b>", variant_name="<i>" + "n" * 400)

        page = text(operator.get(ONBOARDING))

        assert "<b>slug" not in page
        assert "&lt;b&gt;slug" in page
        assert "n" * 100 not in page


@pytest.mark.django_db
class TestPages:
    @pytest.mark.parametrize("query", [{}, {"slug": "spring"}, {"status": "running"}, {"since": "2026-11-08"}])
    def test_the_pages_hold_every_row_once_ties_included(self, operator, query):
        segments.record(uuid.uuid4(), [experiment("spring", f"v{number}") for number in range(100)])
        segments.record(uuid.uuid4(), [experiment("spring", f"v{number}") for number in range(25)])
        PricingExperimentSegment.objects.update(recorded_at=NOON)
        walked, answer = [], operator.get(ONBOARDING, query)
        while True:
            walked += shown(answer)
            if not (older := answer.context["older"]):
                break
            assert all(f"{name}={value}" in older for name, value in query.items())
            answer = operator.get(older)

        assert walked == sorted(PricingExperimentSegment.objects.values_list("pk", flat=True), reverse=True)

    def test_an_assignment_that_arrives_meanwhile_moves_no_page(self, operator):
        keys = [record_segment() for _ in range(60)]
        older = operator.get(ONBOARDING).context["older"]
        record_segment()

        assert shown(operator.get(older)) == keys[9::-1]

    def test_no_page_is_found_by_counting_rows(self, operator):
        for _ in range(60):
            record_segment()
        older = operator.get(ONBOARDING).context["older"]

        with CaptureQueriesContext(connection) as queries:
            answer = operator.get(older)

        pages = [query["sql"] for query in queries if 'FROM "reporting_pricingexperimentsegment"' in query["sql"]]
        assert len(shown(answer)) == 10
        assert pages
        assert [sql for sql in pages if "OFFSET" in sql] == []

    def test_it_takes_the_same_few_queries_however_much_there_is(self, operator):
        def count(**query: str) -> int:
            with CaptureQueriesContext(connection) as queries:
                operator.get(ONBOARDING, query)
            return len(queries)

        capture([quick_order_event()])
        export()
        before = count()
        for _ in range(120):
            record_segment()
        capture([quick_order_event() for _ in range(50)])
        export()

        assert count() == before <= 20
        assert count(slug="spring-offer", status="running", since="2026-01-01") <= 20
        assert count(slug="spring-offer") <= 20

    def test_filters_that_take_too_long_are_explained(self, operator, monkeypatch):
        monkeypatch.setattr(onboarding, "TIMEOUT", timedelta(milliseconds=100))
        with psycopg.connect(database_url()) as other:
            other.execute("LOCK TABLE reporting_pricingexperimentsegment IN ACCESS EXCLUSIVE MODE")

            answer = operator.get(ONBOARDING, {"variant": "v", "status": "none"})

        assert answer.status_code == 200
        assert "The database took longer than" in text(answer)
        assert "add an experiment, an order or a few days" in text(answer)


@pytest.mark.django_db
class TestCounts:
    def test_without_filters_they_are_totals_of_orders(self, operator):
        order = uuid.uuid4()
        record_segment(order_id=order)
        record_segment(order_id=order)
        record_segment(variant_key="control")

        counts = operator.get(ONBOARDING).context["found"].counts

        assert [(count["slug"], count["variant"], count["orders"]) for count in counts] == [
            ("spring-offer", "bundle", 1),
            ("spring-offer", "control", 1),
        ]

    def test_of_an_experiment_or_its_variant_they_are_totals_too(self, operator):
        record_segment("autumn")
        for key in ("bundle", "bundle", "control"):
            record_segment("spring", key)

        spring = operator.get(ONBOARDING, {"slug": "spring"})
        bundle = operator.get(ONBOARDING, {"slug": "spring", "variant": "bundle"})

        both = [("bundle", 2), ("control", 1)]
        assert [(count["variant"], count["orders"]) for count in spring.context["found"].counts] == both
        assert [(count["variant"], count["orders"]) for count in bundle.context["found"].counts] == both[:1]
        assert "Orders over all assignments." in text(spring)
        assert operator.get(ONBOARDING, {"slug": "nothing"}).context["found"].counts == []

    def test_with_filters_they_are_of_the_newest_matches_and_say_so(self, operator):
        order = uuid.uuid4()
        record_segment(order_id=order)
        record_segment(order_id=order)
        record_segment(variant_key="control")
        record_segment(variant_key="control", status="paused")

        answer = operator.get(ONBOARDING, {"status": "running"})

        assert answer.context["found"].counts == [
            {"slug": "spring-offer", "variant": "bundle", "assignments": 2, "orders": 1},
            {"slug": "spring-offer", "variant": "control", "assignments": 1, "orders": 1},
        ]
        assert "Of the newest 10,000 assignments that match the filters." in text(answer)

    def test_they_look_at_no_more_than_they_say(self, monkeypatch):
        monkeypatch.setattr(assignments, "COUNTED_ROWS", 3)
        for _ in range(5):
            record_segment()

        (count,) = assignments.Assignments({"slug": "spring-offer"}).counts()

        assert count["assignments"] == 3

    def test_they_lead_to_the_conversions(self, operator):
        assert 'href="/admin/reports#conversions"' in text(operator.get(ONBOARDING))


@pytest.mark.django_db
class TestFunnel:
    def test_it_shows_the_storefront_as_it_is_now_and_refreshes_itself(self, operator):
        capture([quick_order_event(), quick_order_event(name="quick_order.complete")])

        page = operator.get(ONBOARDING)
        fragment = operator.get(f"{ONBOARDING}/funnel")

        assert 'hx-get="/admin/onboarding/funnel"' in text(page)
        for answer in (page, fragment):
            assert "<dt>Completion rate</dt><dd>100 %</dd>" in text(answer)
        assert "<html" not in text(fragment)

    @pytest.mark.habit(
        "/admin/onboarding compared the funnel with the status JSON, with a chart, deltas and a drift sparkline.",
        "Both pages show the same comparison; the sparkline opens under “Drift of the last runs”.",
    )
    def test_it_compares_with_the_export_as_the_reports_do(self, operator):
        capture([quick_order_event() for _ in range(3)])
        export()
        capture([quick_order_event()])

        sections = [funnel_of(operator.get(path)) for path in (ONBOARDING, "/admin/reports")]

        assert sections[0] == sections[1]
        for part in ('id="funnel-startCount"', "1 newer than the export", "<polyline", 'id="drift-history"'):
            assert part in sections[0]

    @pytest.mark.habit(
        "Both pages linked the workflow, the exported file and the local NDJSON.",
        "Buttons below the comparison, for those who may download exports.",
    )
    def test_files_and_workflow_are_one_click_away_for_those_who_may(self, operator, staff_with):
        capture([quick_order_event()])
        run = export()

        page = funnel_of(operator.get(ONBOARDING))
        viewer = funnel_of(staff_with("reporting.view_exportrun").get(ONBOARDING))

        assert f'href="/admin/reports/runs/{run.pk}/download">Download latest file' in page
        assert f'href="{run.absolute_url}">Open workflow' in page
        assert 'href="/api/telemetry/quick-order/export">Local NDJSON' in page
        assert operator.get("/api/telemetry/quick-order/export").status_code == 200
        assert "Open workflow" in viewer
        assert "Download latest file" not in viewer
        assert "Local NDJSON" not in viewer

    def test_a_status_of_another_installation_brings_its_own_links(self, operator, settings):
        capture([quick_order_event()])
        status = {
            "syncedAt": "2026-11-08T12:00:00Z",
            "events": 1,
            "downloadUrl": "https://lake.example/object",
            "workflowUrl": "https://ci.example/run/7",
            "metrics": {"startCount": 1, "abortCount": 0, "completeCount": 0, "completionRate": 0},
        }
        with fake_server() as server:
            server.usual = Reply(body=json.dumps(status).encode())
            settings.STATUS_URLS = {**settings.STATUS_URLS, "quick_order": server.url}

            page = funnel_of(operator.get(ONBOARDING))

        assert 'href="https://lake.example/object" rel="noreferrer">Download latest file' in page
        assert 'href="https://ci.example/run/7">Open workflow' in page


@pytest.mark.django_db
class TestJourney:
    def test_an_assignment_leads_to_the_journey_of_its_order(self, operator):
        order = uuid.uuid4()
        (key,) = segments.record(order, [experiment("spring", "bundle")], order_number="SO-7")
        journey = OnboardingJourney.objects.get()
        OnboardingJourneyEvent.objects.create(
            journey=journey, order_id=order, event_type="checkout.<b>opened", metadata={"note": "<script>1</script>"}
        )

        path = f"/admin/onboarding/orders/{order}"
        assert f'href="{path}"' in text(operator.get(ONBOARDING))
        page = text(operator.get(path))

        assert "checkout.&lt;b&gt;opened" in page
        assert "pricing_experiment_segment" in page
        assert "<script>1" not in page
        assert "&lt;script&gt;1" in page
        assert f"/admin/reports/feeds/onboarding_segments/records/{key}" in page
        assert "SO-7" in page

    def test_what_a_storefront_did_not_send_reads_unknown(self, operator):
        order = uuid.uuid4()
        record_segment(order_id=order, variant_name=None, is_control=None, status=None)

        for path in (ONBOARDING, f"{ONBOARDING}/orders/{order}"):
            page = text(operator.get(path))
            assert "name unknown, cohort unknown" in page
            assert "<td>unknown</td> <td>unknown</td>" in page

    def test_events_and_assignments_are_the_newest_of_many(self, operator, monkeypatch):
        monkeypatch.setattr(onboarding, "SHOWN_EVENTS", 3)
        order = uuid.uuid4()
        for number in range(5):
            at(record_segment("spring", f"v{number}", order_id=order), NOON + timedelta(minutes=number))

        answer = operator.get(f"/admin/onboarding/orders/{order}")

        assert [row.variant_key for row in answer.context["assignments"]] == ["v4", "v3", "v2"]
        assert "These are the newest 3 events." in text(answer)

    def test_a_journey_without_experiments_says_so(self, operator):
        journey = OnboardingJourney.objects.create(order_id=uuid.uuid4())

        page = text(operator.get(f"/admin/onboarding/orders/{journey.order_id}"))

        assert "The order saw no pricing experiment yet." in page
        assert "Nothing happened on this journey yet." in page

    @pytest.mark.parametrize("order", [uuid.UUID(int=7), "no-uuid"])
    def test_an_order_without_a_journey_is_not_found(self, operator, order):
        assert operator.get(f"/admin/onboarding/orders/{order}").status_code == 404

    def test_it_takes_few_queries(self, operator, django_assert_max_num_queries):
        order = uuid.uuid4()
        segments.record(order, [experiment("spring", f"v{number}") for number in range(50)])

        with django_assert_max_num_queries(8):
            operator.get(f"/admin/onboarding/orders/{order}")


@pytest.mark.django_db
class TestWho:
    def test_the_pages_need_the_permission_to_view(self, client, staff_with):
        order = uuid.uuid4()
        record_segment(order_id=order)
        viewer, other = staff_with("reporting.view_exportrun"), staff_with()

        for path in (ONBOARDING, f"{ONBOARDING}/funnel", f"{ONBOARDING}/orders/{order}"):
            assert client.get(path).status_code == 302
            assert other.get(path).status_code == 403
            assert viewer.get(path).status_code == 200


@pytest.mark.django_db
class TestJourneys:
    def test_active_and_stalled_ones_are_counted_with_what_that_means(self, operator):
        record_segment()

        page = " ".join(operator.get(ONBOARDING).content.decode().split())

        assert "<dt>Active</dt><dd>1</dd>" in page
        assert "<dt>Stalled</dt><dd>0</dd>" in page
        assert "One without an event for 7 days has stalled." in page

    def test_a_count_that_takes_too_long_is_left_out(self, operator, monkeypatch):
        def fail(now):
            raise QueryTimeoutError

        monkeypatch.setattr("reporting.insights.journeys.journeys", fail)

        assert "The database took too long to count the journeys." in operator.get(ONBOARDING).content.decode()
