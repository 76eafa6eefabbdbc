"""Conversions by experiment and variant."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from reporting.insights import conversion_totals
from reporting.models import PricingExperimentSegment
from reporting.recording import segments
from tests.database import record_segment
from tests.factories import experiment

ROUTE = "/api/v1/reporting/onboarding/experiment-conversions"


@pytest.mark.django_db
class TestMetrics:
    def test_without_rows_there_are_none(self, api):
        assert api.get(ROUTE).json() == {"metrics": [], "cursor": None, "nextCursor": None}

    def test_orders_and_journeys_are_counted_once_by_experiment_and_by_variant(self, api):
        both, twice = uuid.uuid4(), uuid.uuid4()
        record_segment(order_id=both)
        record_segment(order_id=both, variant_key="control")
        record_segment(order_id=twice)
        record_segment(order_id=twice)
        record_segment(variant_key="control")
        newest = record_segment()
        at = datetime(2026, 11, 8, 12, tzinfo=UTC)
        PricingExperimentSegment.objects.update(recorded_at=at - timedelta(hours=1))
        PricingExperimentSegment.objects.filter(pk=newest).update(recorded_at=at)

        assert api.get(ROUTE).json()["metrics"] == [
            {
                "slug": "spring-offer",
                "orderCount": 4,
                "journeyCount": 4,
                "lastActivity": "2026-11-08T12:00:00.000000Z",
                "variants": [
                    {
                        "variantKey": "bundle",
                        "variantName": "Bundle",
                        "isControl": False,
                        "orderCount": 3,
                        "journeyCount": 3,
                    },
                    {
                        "variantKey": "control",
                        "variantName": "Control",
                        "isControl": True,
                        "orderCount": 2,
                        "journeyCount": 2,
                    },
                ],
            }
        ]

    def test_a_variants_name_and_cohort_are_those_of_its_newest_row(self, api):
        record_segment(variant_name="Old name", is_control=True)
        record_segment(variant_name=None, is_control=False)
        record_segment(variant_name="New name", is_control=False)

        variant = api.get(ROUTE).json()["metrics"][0]["variants"][0]

        assert (variant["variantName"], variant["isControl"]) == ("New name", False)

    @pytest.mark.parametrize("is_folded", [False, True])
    def test_a_variant_of_which_nothing_else_is_known_has_nulls(self, api, is_folded):
        record_segment(variant_name=None, is_control=None, status=None)
        if is_folded:
            conversion_totals.fold()

        variant = api.get(ROUTE).json()["metrics"][0]["variants"][0]

        assert (variant["variantName"], variant["isControl"], variant["orderCount"]) == (None, None, 1)

    def test_all_rows_count(self, api):
        for _ in range(12):
            segments.record(uuid.uuid4(), [experiment("a", f"v{number:03}") for number in range(100)])

        metric = api.get(ROUTE).json()["metrics"][0]

        assert (metric["orderCount"], len(metric["variants"])) == (12, 100)
        assert {variant["orderCount"] for variant in metric["variants"]} == {12}


@pytest.mark.django_db
class TestPages:
    def test_the_cursor_is_the_last_slug_of_the_page_before(self, api):
        for slug in ("delta", "alpha", "charlie", "bravo", "echo"):
            record_segment(slug)

        first = api.get(ROUTE, {"limit": "2"}).json()
        second = api.get(ROUTE, {"limit": "2", "cursor": first["nextCursor"]}).json()
        third = api.get(ROUTE, {"limit": "2", "cursor": second["nextCursor"]}).json()

        pages = [[metric["slug"] for metric in page["metrics"]] for page in (first, second, third)]
        assert pages == [["alpha", "bravo"], ["charlie", "delta"], ["echo"]]
        cursors = [(page["cursor"], page["nextCursor"]) for page in (first, second, third)]
        assert cursors == [(None, "bravo"), ("bravo", "delta"), ("delta", None)]

    def test_a_full_last_page_has_no_next_one(self, api):
        record_segment("alpha")
        record_segment("bravo")

        assert api.get(ROUTE, {"limit": "2"}).json()["nextCursor"] is None

    def test_a_cursor_needs_no_row_of_its_own(self, api):
        record_segment("alpha")
        record_segment("charlie")

        answer = api.get(ROUTE, {"cursor": "bravo"}).json()

        assert [metric["slug"] for metric in answer["metrics"]] == ["charlie"]

    def test_it_shows_25_experiments_unless_asked_for_more(self, api):
        for number in range(26):
            record_segment(f"slug-{number:02}")

        assert len(api.get(ROUTE).json()["metrics"]) == 25
        assert len(api.get(ROUTE, {"limit": "100"}).json()["metrics"]) == 26

    def test_a_page_takes_one_statement(self, api, django_assert_num_queries):
        record_segment()

        with django_assert_num_queries(1):
            api.get(ROUTE)


@pytest.mark.django_db
class TestBadInput:
    @pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "ten", "", "\x00"])
    def test_a_limit_out_of_range_is_refused(self, api, limit):
        answer = api.get(ROUTE, {"limit": limit})

        assert (answer.status_code, answer.json()) == (400, {"limit": ["Must be a whole number from 1 to 100."]})

    @pytest.mark.parametrize("cursor", ["", "\x00", "x" * 256])
    def test_a_cursor_that_no_slug_can_be_is_refused(self, api, cursor):
        answer = api.get(ROUTE, {"cursor": cursor})

        assert (answer.status_code, list(answer.json())) == (400, ["cursor"])


@pytest.mark.django_db
class TestAccess:
    def test_a_stranger_is_turned_away(self, stranger):
        assert stranger.get(ROUTE).status_code == 401

    def test_without_a_configured_key_nothing_is_let_in(self, api, settings):
        settings.CHECKOUT_API_KEYS = []

        assert api.get(ROUTE).status_code == 401

    def test_staff_need_the_permission_to_view_segments(self, staff_with):
        assert staff_with().get(ROUTE).status_code == 403
        assert staff_with("reporting.view_pricingexperimentsegment").get(ROUTE).status_code == 200
