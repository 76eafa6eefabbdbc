"""Recording of pricing experiments, and the list of segments."""

import json
import threading
import uuid

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from reporting.models import OnboardingJourney, OnboardingJourneyEvent, PricingExperimentSegment
from tests.environment import API_KEY

EVENTS = "/api/v1/reporting/onboarding/experiment-events"
ORDER = uuid.UUID("7f0d7bb0-7b1c-4b52-9b0a-9f9a57f3c001")


def experiment(**changes):
    return {
        "slug": "spring-offer",
        "variantKey": "bundle",
        "variantName": "Bundle first",
        "isControl": False,
        "assignmentStrategy": "sequential",
        "status": "running",
        "featureFlagKey": "pricing-spring",
        **changes,
    }


OPTIONAL = ("variantName", "isControl", "status", "featureFlagKey", "assignmentStrategy")


def route(order_id: object = ORDER) -> str:
    return f"/api/v1/orders/{order_id}/onboarding/pricing-experiments"


def post(client, *experiments, order_id: object = ORDER, **around):
    return post_raw(client, json.dumps({"experiments": experiments, **around}), order_id)


def post_raw(client, content, order_id: object = ORDER, content_type="application/json"):
    return client.generic("POST", route(order_id), content, content_type=content_type)


@pytest.mark.django_db
class TestRecording:
    def test_an_experiment_becomes_a_journey_event_and_its_mirror(self, api):
        before = timezone.now()

        answer = post(api, experiment(), orderNumber="SM-1001")

        event, segment = OnboardingJourneyEvent.objects.get(), PricingExperimentSegment.objects.get()
        assert answer.status_code == 202
        assert answer.json() == {"status": "accepted", "eventIds": [str(event.pk)]}
        assert (event.event_type, event.order_id, event.metadata) == (
            "pricing_experiment_segment",
            ORDER,
            experiment(),
        )
        assert (segment.event_id, segment.journey_id, segment.order_id) == (event.pk, event.journey_id, ORDER)
        assert before <= segment.recorded_at == event.occurred_at <= timezone.now()

    def test_the_list_shows_it_in_wire_shape(self, api):
        post(api, experiment(), orderNumber="SM-1001")
        segment = PricingExperimentSegment.objects.get()

        assert api.get(EVENTS).json() == {
            "events": [
                {
                    "eventId": str(segment.event_id),
                    "journeyId": str(segment.journey_id),
                    "orderId": str(ORDER),
                    "orderNumber": "SM-1001",
                    "slug": "spring-offer",
                    "variantKey": "bundle",
                    "variantName": "Bundle first",
                    "isControl": False,
                    "status": "running",
                    "featureFlagKey": "pricing-spring",
                    "assignmentStrategy": "sequential",
                    "recordedAt": segment.recorded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                }
            ],
            "nextCursor": None,
        }

    def test_each_distinct_variant_is_one_event_and_the_first_of_two_counts(self, api):
        answer = post(
            api,
            experiment(),
            experiment(variantKey="control", isControl=True),
            experiment(variantName="Another name"),
            experiment(slug="autumn-offer"),
        )

        rows = PricingExperimentSegment.objects.order_by("position").values_list("slug", "variant_key", "variant_name")
        assert list(rows) == [
            ("spring-offer", "bundle", "Bundle first"),
            ("spring-offer", "control", "Bundle first"),
            ("autumn-offer", "bundle", "Bundle first"),
        ]
        ids = PricingExperimentSegment.objects.order_by("position").values_list("event_id", flat=True)
        assert answer.json()["eventIds"] == [str(event_id) for event_id in ids]

    def test_a_second_request_records_again_on_the_same_journey(self, api):
        post(api, experiment())
        post(api, experiment())

        assert OnboardingJourney.objects.count() == 1
        assert PricingExperimentSegment.objects.count() == 2

    def test_both_spellings_of_keys_are_read(self, api):
        snake = {
            "slug": "spring-offer",
            "variant_key": "bundle",
            "variant_name": "Bundle first",
            "is_control": True,
            "assignment_strategy": "sequential",
            "status": "paused",
            "feature_flag_key": "pricing-spring",
        }

        assert post(api, snake, order_number="SM-7").status_code == 202

        segment = PricingExperimentSegment.objects.get()
        assert (segment.variant_key, segment.is_control, segment.order_number) == ("bundle", True, "SM-7")
        assert OnboardingJourneyEvent.objects.get().metadata["isControl"] is True

    @pytest.mark.parametrize("sent", [{}, dict.fromkeys(OPTIONAL)], ids=["missing", "null"])
    def test_slug_and_variant_key_are_all_that_an_experiment_needs(self, api, sent):
        assert post(api, {"slug": "a", "variantKey": "b", **sent}).status_code == 202

        (row,) = api.get(EVENTS).json()["events"]
        assert {name: row[name] for name in OPTIONAL} == dict.fromkeys(OPTIONAL)
        metadata = OnboardingJourneyEvent.objects.get().metadata
        assert {name: metadata[name] for name in OPTIONAL} == dict.fromkeys(OPTIONAL)

    @pytest.mark.habit(
        "The storefront posts assignments without status and featureFlagKey, and often without isControl.",
        "Only slug and variantKey are required; what is missing is stored and exported as null.",
    )
    def test_the_storefronts_own_body_is_accepted(self, api):
        sent = {"slug": "a", "variantKey": "b", "variantName": "B", "assignmentStrategy": "sequential"}

        assert post(api, sent, sent | {"variantKey": "c", "isControl": True}).status_code == 202

        rows = PricingExperimentSegment.objects.order_by("position").values_list("is_control", "status", "variant_name")
        assert list(rows) == [(None, None, "B"), (True, None, "B")]

    def test_a_thousand_experiments_of_255_characters_fit_into_a_request(self, api):
        longest = experiment(**{name: "x" * 255 for name in experiment() if name != "isControl"})

        answer = post(api, *({**longest, "variantKey": f"{number:0255}"} for number in range(1_000)))

        assert (answer.status_code, PricingExperimentSegment.objects.count()) == (202, 1_000)

    def test_unknown_keys_are_ignored(self, api):
        answer = post(api, experiment(cohort={"a": [1]}), attachments=["x" * 50_000], orderNumber=None)

        assert answer.status_code == 202
        assert "cohort" not in OnboardingJourneyEvent.objects.get().metadata

    def test_the_order_number_is_kept_and_the_newest_one_counts(self, api):
        for around in ({}, {"orderNumber": "SM-1"}, {}, {"orderNumber": "SM-2"}, {"orderNumber": ""}):
            post(api, experiment(), **around)

        numbers = PricingExperimentSegment.objects.order_by("position").values_list("order_number", flat=True)
        assert list(numbers) == [None, "SM-1", "SM-1", "SM-2", "SM-2"]
        assert OnboardingJourney.objects.get().order_number == "SM-2"

    def test_the_orders_own_journey_may_be_named(self, api):
        post(api, experiment())

        answer = post(api, experiment(), journeyId=str(OnboardingJourney.objects.get().pk))

        assert answer.status_code == 202

    def test_a_hundred_experiments_take_few_statements(self, api, django_assert_max_num_queries):
        many = [experiment(variantKey=f"v{number}") for number in range(100)]

        with django_assert_max_num_queries(8):
            assert len(post(api, *many).json()["eventIds"]) == 100


@pytest.mark.django_db
class TestUnknownJourneys:
    def test_a_journey_that_does_not_exist_is_not_found(self, api):
        answer = post(api, experiment(), journeyId=str(uuid.uuid4()))

        assert (answer.status_code, list(answer.json())) == (404, ["journeyId"])
        assert "unknown journey" in answer.json()["journeyId"][0]

    def test_another_orders_journey_is_not_found_and_nothing_is_written(self, api):
        post(api, experiment(), order_id=uuid.uuid4())
        journey = OnboardingJourney.objects.get()

        assert post(api, experiment(), journeyId=str(journey.pk)).status_code == 404
        assert (OnboardingJourney.objects.count(), OnboardingJourneyEvent.objects.count()) == (1, 1)


BAD_EXPERIMENTS = [
    ("slug", None),
    ("slug", ""),
    ("slug", 7),
    ("slug", "x" * 256),
    ("variantKey", None),
    ("variantKey", ["a"]),
    ("variantKey", "x" * 256),
    ("variantName", "x" * 256),
    ("variantName", {"a": 1}),
    ("isControl", "true"),
    ("isControl", 1),
    ("isControl", "yes"),
    ("status", "x" * 256),
    ("status", True),
    ("featureFlagKey", 7),
    ("featureFlagKey", "x" * 256),
    ("assignmentStrategy", False),
    ("assignmentStrategy", "x" * 256),
]
BAD_BODIES = [
    ({}, "experiments"),
    ({"experiments": None}, "experiments"),
    ({"experiments": []}, "experiments"),
    ({"experiments": "spring-offer"}, "experiments"),
    ({"experiments": {"slug": "a"}}, "experiments"),
    ({"experiments": [7]}, "experiments[0]"),
    ({"experiments": [None]}, "experiments[0]"),
    ({"experiments": [[]]}, "experiments[0]"),
    ({"experiments": [experiment()] * 1_001}, "experiments"),
    ({"experiments": [experiment()], "orderNumber": 7}, "orderNumber"),
    ({"experiments": [experiment()], "orderNumber": "x" * 101}, "orderNumber"),
    ({"experiments": [experiment()], "journeyId": 7}, "journeyId"),
    ({"experiments": [experiment()], "journeyId": "seven"}, "journeyId"),
    ({"experiments": [experiment()], "journey_id": []}, "journeyId"),
    ([], "body"),
    ([experiment()], "body"),
    ("text", "body"),
    (None, "body"),
    (7, "body"),
]
BAD_TEXTS = [
    ("{", "body"),
    ("nonsense", "body"),
    ("{}\n{}", "body"),
    ("\x00", "body"),
    (b"\xff", "body"),
    ('{"extra": NaN}', "extra"),
    ('{"extra": [1, -Infinity]}', "extra[1]"),
    ('{"extra": 1e999}', "extra"),
    ('{"extra": 9223372036854775808}', "extra"),
    ('{"extra": "a\\u0000b"}', "extra"),
    ('{"a\\u0000b": 1}', "a?b"),
    (r'{"extra": "\ud800"}', "extra"),
    (b'{"extra": "\xff\xfe"}', "extra"),
    ('{"extra": ' + "[" * 40 + "]" * 40 + "}", "extra" + "[0]" * 31),
    ('{"extra": ' + "[" * 100_000 + "]" * 100_000 + "}", "body"),
    (r'{"experiments": [{"slug": "a\u0000b"}]}', "experiments[0].slug"),
    (r'{"experiments": [{"slug": "\udfff"}]}', "experiments[0].slug"),
]


@pytest.mark.django_db
class TestBadInput:
    @pytest.mark.parametrize(("field", "value"), BAD_EXPERIMENTS)
    def test_a_bad_field_is_named_with_its_experiment(self, api, field, value):
        answer = post(api, experiment(), experiment(**{"variantKey": "other", field: value}))

        assert (answer.status_code, list(answer.json())) == (400, [f"experiments[1].{field}"])
        assert not PricingExperimentSegment.objects.exists()

    @pytest.mark.parametrize("field", ["slug", "variantKey"])
    def test_a_missing_field_is_named(self, api, field):
        incomplete = experiment()
        del incomplete[field]

        answer = post(api, incomplete)

        assert answer.json() == {f"experiments[0].{field}": ["This field is required."]}

    def test_the_answer_says_what_is_allowed(self, api):
        answer = post(api, experiment(slug="x" * 256, isControl="no"))

        assert answer.json() == {
            "experiments[0].slug": ["Must be a string of 1 to 255 characters."],
            "experiments[0].isControl": ["Must be true or false."],
        }

    @pytest.mark.parametrize(("body", "named"), BAD_BODIES)
    def test_a_body_of_a_wrong_shape_is_refused(self, api, body, named):
        answer = post_raw(api, json.dumps(body))

        assert (answer.status_code, list(answer.json())) == (400, [named])

    @pytest.mark.parametrize(("text", "named"), BAD_TEXTS)
    def test_what_no_database_can_hold_is_refused(self, api, text, named):
        answer = post_raw(api, text)

        assert (answer.status_code, list(answer.json())) == (400, [named])

    def test_an_empty_body_lacks_its_experiments(self, api):
        assert post_raw(api, "").json() == {"experiments": ["This field is required."]}

    @pytest.mark.parametrize("order_id", ["7", "not-a-uuid", "%00", f"{ORDER}x", "٧"])
    def test_an_order_that_is_no_uuid_is_refused(self, api, order_id):
        answer = post(api, experiment(), order_id=order_id)

        assert (answer.status_code, answer.json()) == (400, {"orderId": ["Must be a UUID."]})

    def test_a_body_over_the_limit_is_too_large(self, api, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_024

        assert post(api, *[experiment()] * 10).status_code == 413

    @pytest.mark.parametrize("content_type", ["application/xml", "application/x-www-form-urlencoded", "text/plain"])
    def test_a_body_that_is_not_announced_as_json_is_refused(self, api, content_type):
        assert post_raw(api, "{}", content_type=content_type).status_code == 415

    @pytest.mark.parametrize("limit", ["0", "1001", "-1", "1.5", "ten", "", "²", "\x00", "9" * 40])
    def test_a_limit_out_of_range_is_refused(self, api, limit):
        answer = api.get(EVENTS, {"limit": limit})

        assert (answer.status_code, answer.json()) == (400, {"limit": ["Must be a whole number from 1 to 1000."]})

    @pytest.mark.parametrize("order", ["", "ASC", "up", "\x00"])
    def test_an_unknown_order_is_refused(self, api, order):
        answer = api.get(EVENTS, {"order": order})

        assert (answer.status_code, list(answer.json())) == (400, ["order"])


@pytest.mark.django_db
class TestAccess:
    def test_a_stranger_is_turned_away(self, stranger):
        assert post(stranger, experiment()).status_code == 401
        assert stranger.get(EVENTS).status_code == 401

    def test_without_a_configured_key_nothing_is_let_in(self, api, settings):
        settings.CHECKOUT_API_KEYS = []

        assert post(api, experiment()).status_code == 401
        assert api.get(EVENTS).status_code == 401
        assert api.get(EVENTS, headers={"X-API-Key": ""}).status_code == 401

    def test_operators_do_not_record_for_the_storefront(self, operator):
        assert post(operator, experiment()).status_code == 401

    def test_staff_need_the_permission_to_view_segments(self, staff_with):
        assert staff_with().get(EVENTS).status_code == 403
        assert staff_with("reporting.view_pricingexperimentsegment").get(EVENTS).status_code == 200

    def test_a_method_that_is_not_there_is_a_json_405(self, api):
        assert list(api.get(route()).json()) == ["detail"]


@pytest.mark.django_db(transaction=True)
def test_racing_requests_of_a_new_order_share_one_journey():
    answers = []

    def client(number: int) -> None:
        api = APIClient(headers={"X-API-Key": API_KEY})
        try:
            answers.append(post(api, experiment(variantKey=f"v{number}")).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    journey = OnboardingJourney.objects.get()
    assert answers == [202] * 8
    assert set(PricingExperimentSegment.objects.values_list("journey_id", flat=True)) == {journey.pk}
    assert PricingExperimentSegment.objects.count() == OnboardingJourneyEvent.objects.count() == 8
