"""The capture routes, as storefronts use them."""

import json
import os
import threading
import uuid
from datetime import datetime

import psycopg
import pytest
from django.core.cache.backends.redis import RedisCache
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from smplat.lib import minutes, prepared
from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent
from tests.database import database_url
from tests.factories import quick_order_event, workflow_event
from tests.front_client import FrontClient

GENERAL, QUICK_ORDER = "/api/telemetry", "/api/telemetry/quick-order"


@pytest.fixture(params=["Django", "the front"])
def stranger(request, db):
    """A client without credentials, of each of the two that answer: storefronts cannot tell them apart."""
    return APIClient() if request.param == "Django" else FrontClient()


def post(client: APIClient, body, route: str = GENERAL, content_type: str = "application/json"):
    content = json.dumps(body) if isinstance(body, dict | list) else body
    return client.generic("POST", route, content, content_type=content_type)


@pytest.mark.django_db
class TestOneEvent:
    def test_it_is_stored_with_the_reference_columns(self, stranger):
        event = quick_order_event(name="quick_order.abort", reason="dismiss")

        answer = post(stranger, event)

        assert answer.status_code == 202
        assert answer.json() == {"accepted": 1, "duplicates": 0, "ignored": 0, "rejected": []}
        row = QuickOrderEvent.objects.get()
        assert str(row.event_id) == event["id"]
        assert (row.session_id, row.event_name) == ("qos_1ppgnt", "quick_order.abort")
        assert (row.product_id, row.product_title, row.platform_context) == (
            "prod_tt_boost",
            "TikTok Momentum",
            "tiktok",
        )
        assert row.recorded_at.isoformat() == "2026-11-08T08:04:48.397000+00:00"
        assert row.metadata == {**event["metadata"], "reason": "dismiss"}
        assert row.event == event

    def test_a_workflow_event_keeps_what_its_guardrail_says(self, stranger):
        post(stranger, workflow_event())

        row = GuardrailWorkflowEvent.objects.get()
        assert (row.workflow_action, row.guardrail_platform_slug, row.guardrail_status) == (
            "attachment.upload",
            "youtube",
            "breached",
        )
        assert (row.provider_id, row.provider_name, row.source) == ("provider-viralhub", "ViralHub", "admin")

    def test_a_missing_time_is_the_servers(self, stranger):
        before = timezone.now()

        post(stranger, quick_order_event(recordedAt=None))

        assert before <= QuickOrderEvent.objects.get().recorded_at <= timezone.now()

    @pytest.mark.parametrize("offset", ["-23:59", "+23:59", "+16:00", "-00:00:01"])
    def test_a_time_is_kept_whatever_its_offset(self, stranger, offset):
        given = f"2026-11-08T08:04:48.397001{offset}"

        assert post(stranger, quick_order_event(recordedAt=given)).status_code == 202
        assert QuickOrderEvent.objects.get().recorded_at == datetime.fromisoformat(given)

    def test_an_id_that_is_no_uuid_maps_to_the_same_uuid_every_time(self, stranger):
        event = quick_order_event(id="evt_1731052800000_a1b2c3")

        answers = [post(stranger, event).json() for _ in range(2)]

        assert [answer["accepted"] for answer in answers] == [1, 0]
        row = QuickOrderEvent.objects.get()
        assert row.event_id.version == 5
        assert row.event["id"] == "evt_1731052800000_a1b2c3"

    @pytest.mark.habit(
        "Older clients send events without an id.",
        "Such an event is stored under an id made here, each time it comes.",
    )
    @pytest.mark.parametrize("is_null", [True, False])
    def test_an_event_without_an_id_is_stored_each_time_it_comes(self, stranger, is_null):
        event = quick_order_event(id=None)
        if not is_null:
            del event["id"]

        answer = post(stranger, [event, event]).json()

        assert answer == {"accepted": 2, "duplicates": 0, "ignored": 0, "rejected": []}
        stored = list(QuickOrderEvent.objects.values_list("event_id", "event"))
        assert [event_id.version for event_id, _ in stored] == [4, 4]
        assert [sent for _, sent in stored] == [event, event]

    def test_an_upper_case_uuid_is_the_same_event(self, stranger):
        event = quick_order_event()
        post(stranger, event)

        answer = post(stranger, {**event, "id": event["id"].upper()})

        assert answer.json()["duplicates"] == 1

    def test_numbers_within_64_bits_are_kept_as_they_are(self, stranger):
        numbers = [2**63 - 1, -(2**63), 1.5, -0.25, 1e-7]

        post(stranger, quick_order_event(metadata={"numbers": numbers}))

        assert QuickOrderEvent.objects.get().metadata == {"numbers": numbers}

    def test_the_platform_comes_from_the_metadata_where_the_guardrail_names_none(self, stranger):
        post(stranger, quick_order_event(guardrail=None, metadata={"platformType": "instagram"}))

        assert QuickOrderEvent.objects.get().platform_context == "instagram"

    def test_the_first_arrival_wins(self, stranger):
        event = quick_order_event()
        post(stranger, event)

        post(stranger, {**event, "productTitle": "Another title"}, QUICK_ORDER)

        assert QuickOrderEvent.objects.get().product_title == "TikTok Momentum"


@pytest.mark.django_db
class TestBatches:
    def test_an_array_is_stored_in_its_order_by_one_statement(self, stranger, monkeypatch, django_assert_num_queries):
        events = [quick_order_event() for _ in range(50)] + [workflow_event() for _ in range(50)]
        statements: list[bytes] = []
        execute = psycopg.Cursor.execute

        def record(cursor, statement, *args, **options):
            statements.append(statement)
            return execute(cursor, statement, *args, **options)

        monkeypatch.setattr(psycopg.Cursor, "execute", record)

        with django_assert_num_queries(0):
            answer = post(stranger, events)

        assert answer.json()["accepted"] == 100
        assert len(statements) == 1
        stored = QuickOrderEvent.objects.order_by("position").values_list("event_id", flat=True)
        assert [str(event_id) for event_id in stored] == [event["id"] for event in events[:50]]

    @pytest.mark.parametrize("content_type", ["application/x-ndjson", "text/plain", "application/json"])
    def test_ndjson_is_read_whatever_type_the_client_names(self, stranger, content_type):
        lines = "\n".join(json.dumps(quick_order_event()) for _ in range(3)) + "\n"

        assert post(stranger, lines, content_type=content_type).json()["accepted"] == 3

    def test_a_copy_within_the_batch_is_a_duplicate(self, stranger):
        event = quick_order_event()

        answer = post(stranger, [event, event, quick_order_event()]).json()

        assert (answer["accepted"], answer["duplicates"]) == (2, 1)

    def test_foreign_names_are_counted_as_ignored(self, stranger):
        events = [quick_order_event(), quick_order_event(name="guardrail.alert"), workflow_event(name="x.y")]

        answer = post(stranger, events).json()

        assert (answer["accepted"], answer["ignored"]) == (1, 2)

    def test_bad_events_are_reported_by_index_and_good_ones_stored(self, stranger):
        events = [quick_order_event(), quick_order_event(id=7), "text", quick_order_event(), workflow_event(name=7)]

        answer = post(stranger, events).json()

        assert answer["accepted"] == 2
        assert [item["index"] for item in answer["rejected"]] == [1, 2, 4]
        assert [item["error"].partition(":")[0] for item in answer["rejected"]] == ["id", "event", "name"]


BAD_FIELDS = [
    ("id", 7, "id"),
    ("id", "", "id"),
    ("id", "x" * 201, "id"),
    ("recordedAt", "yesterday", "recordedAt"),
    ("recordedAt", "2026-11-08T08:04:48", "recordedAt"),
    ("recordedAt", "1969-12-31T23:59:59Z", "recordedAt"),
    ("recordedAt", "2200-01-01T00:00:00Z", "recordedAt"),
    ("recordedAt", "0001-01-01T00:00:00+23:59", "recordedAt"),
    ("recordedAt", 1731052800000, "recordedAt"),
    ("metadata", [1], "metadata"),
    ("metadata", {"deep": {"nul": "a\x00b"}}, "metadata.deep.nul"),
    ("metadata", {"a\x00b": 1}, "metadata.a?b"),
    ("metadata", {"long": "x" * 10_001}, "metadata.long"),
    ("guardrail", "tiktok", "guardrail"),
    ("guardrail", {"platformSlug": 7}, "guardrail.platformSlug"),
    ("sessionId", "x" * 201, "sessionId"),
    ("productId", {"a": 1}, "productId"),
    ("productTitle", ["a"], "productTitle"),
]
BAD_TEXTS = [
    ('{"metadata": {"n": NaN}}', "metadata.n"),
    ('{"metadata": {"n": -Infinity}}', "metadata.n"),
    ('{"metadata": {"n": 1e999}}', "metadata.n"),
    ('{"metadata": {"n": 9223372036854775808}}', "metadata.n"),
    ('{"metadata": {"n": 1' + "0" * 5_000 + "}}", "metadata.n"),
    ('{"metadata": {"n": 1e300}}', "metadata.n"),
    (r'{"metadata": {"s": "\ud800"}}', "metadata.s"),
    (r'{"metadata": {"\udfff": 1}}', "metadata.?"),
    (b'{"metadata": {"s": "\xff\xfe"}}', "metadata.s"),
    ('{"metadata": {"d": ' + "[" * 40 + "]" * 40 + "}}", "metadata.d" + "[0]" * 30),
]


@pytest.mark.django_db
class TestBadInput:
    @pytest.mark.parametrize(("field", "value", "named"), BAD_FIELDS)
    def test_a_bad_field_is_named(self, stranger, field, value, named):
        answer = post(stranger, quick_order_event(**{field: value}))

        assert answer.status_code == 400
        assert list(answer.json()) == ["error", named]

    @pytest.mark.parametrize(("field", "value", "named"), BAD_FIELDS)
    def test_in_a_batch_it_spoils_its_event_alone(self, stranger, field, value, named):
        answer = post(stranger, [quick_order_event(), quick_order_event(**{field: value})])

        assert answer.status_code == 202
        assert answer.json()["accepted"] == 1
        assert [item["error"].partition(": ")[0] for item in answer.json()["rejected"]] == [named]

    @pytest.mark.parametrize(("text", "named"), BAD_TEXTS)
    def test_what_no_json_column_can_hold_spoils_its_event_alone(self, stranger, text, named):
        good = json.dumps(quick_order_event())
        content = text if isinstance(text, bytes) else text.encode()
        bad = good[:-1].encode() + b", " + content[1:]

        answer = post(stranger, b"[" + good.replace("tiktok", "x").encode() + b"," + bad + b"]")

        assert answer.status_code == 202
        assert [item["error"].partition(": ")[0] for item in answer.json()["rejected"]] == [named]

    def test_an_event_nested_beyond_the_parser_spoils_itself_alone(self, stranger):
        deep = '{"id": "a", "name": "quick_order.start", "metadata": ' + "[" * 100_000 + "]" * 100_000 + "}"

        answer = post(stranger, f"[{json.dumps(quick_order_event())}, {deep}]")

        assert answer.json()["accepted"] == 1
        assert answer.json()["rejected"] == [{"index": 1, "error": "event: nested past 32 levels"}]

    def test_alone_it_is_refused(self, stranger):
        assert post(stranger, '{"a":' * 100_000 + "1" + "}" * 100_000).status_code == 400

    @pytest.mark.parametrize("action", [None, "", 5, "x" * 101])
    def test_a_workflow_event_needs_its_action(self, stranger, action):
        answer = post(stranger, workflow_event(workflowAction=action))

        assert answer.json() == {
            "error": "workflowAction: must be a string of at most 100 characters",
            "workflowAction": ["must be a string of at most 100 characters"],
        }

    @pytest.mark.parametrize("body", ["", "   ", "[]", "{", "nonsense", "\x00", "[1, 2", "a\nb\n", "[" * 100_000])
    def test_a_body_that_holds_no_event_is_refused(self, stranger, body):
        assert post(stranger, body).status_code == 400

    @pytest.mark.parametrize("body", ["7", "null", '"text"', "NaN"])
    def test_a_body_that_is_no_object_is_refused(self, stranger, body):
        assert list(post(stranger, body).json()) == ["error", "event"]

    def test_a_body_over_the_limit_is_too_large(self, stranger, settings):
        settings.TELEMETRY_MAX_BODY_BYTES = 1_024

        assert post(stranger, [quick_order_event() for _ in range(10)]).status_code == 413

    def test_more_than_a_thousand_events_are_too_many(self, stranger):
        assert post(stranger, [{"name": "x"}] * 1_001).status_code == 413

    def test_an_unknown_media_type_is_refused_with_the_known_ones(self, stranger):
        answer = post(stranger, "<a/>", content_type="application/xml")

        assert answer.status_code == 415
        assert "application/x-ndjson" in answer.json()["detail"]

    def test_the_quick_order_route_takes_quick_orders_alone(self, stranger):
        answer = post(stranger, [quick_order_event(), workflow_event()], QUICK_ORDER).json()
        assert (answer["accepted"], answer["ignored"]) == (1, 1)

        assert post(stranger, [workflow_event()], QUICK_ORDER).status_code == 400

    def test_a_batch_that_names_no_quick_order_event_is_refused(self, stranger):
        assert post(stranger, [5, {"name": ["quick_order.start"]}], QUICK_ORDER).status_code == 400


class TestAccess:
    @pytest.mark.django_db
    def test_the_throttle_refuses_the_request_over_the_limit(self, stranger, settings):
        settings.TELEMETRY_THROTTLE = 3
        statuses = [post(stranger, quick_order_event()).status_code for _ in range(4)]

        # The counters start anew with each minute of the clock, which may turn within the four requests.
        assert statuses in ([202, 202, 202, 429], [202] * 4)
        if statuses[-1] == 202:
            statuses = [post(stranger, quick_order_event()).status_code for _ in range(4)]
            assert 429 in statuses

    @pytest.mark.django_db
    def test_events_are_worth_more_than_a_limit_that_cannot_be_counted(self, stranger, settings, monkeypatch):
        settings.TELEMETRY_THROTTLE = 1
        settings.REDIS_URL = "redis://127.0.0.1:9/0"
        monkeypatch.setattr(minutes, "_redis", lambda: RedisCache(settings.REDIS_URL, {}))

        assert [post(stranger, quick_order_event()).status_code for _ in range(2)] == [202, 202]

    def test_a_listed_origin_may_post_and_another_may_not(self, stranger, settings):
        settings.CORS_ALLOWED_ORIGINS = ["https://shop.example"]
        answers = {
            origin: stranger.options(
                GENERAL,
                headers={
                    "Origin": origin,
                    "Access-Control-Request-Method": "POST",
                    "Access-Control-Request-Headers": "content-type",
                },
            )
            for origin in ("https://shop.example", "https://evil.example")
        }

        assert answers["https://shop.example"].headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert "Access-Control-Allow-Origin" not in answers["https://evil.example"].headers

    @pytest.mark.django_db
    @pytest.mark.parametrize("route", [GENERAL, QUICK_ORDER])
    def test_beacons_of_a_listed_origin_may_bring_credentials(self, stranger, settings, route):
        settings.CORS_ALLOWED_ORIGINS = ["https://shop.example"]
        asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}

        preflight = stranger.options(route, headers=asked)
        answer = stranger.generic(
            "POST", route, json.dumps(quick_order_event()), "application/json", headers={"Origin": asked["Origin"]}
        )

        for response in (preflight, answer):
            assert response.headers["Access-Control-Allow-Credentials"] == "true"
            assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"

    @pytest.mark.parametrize(
        ("origin", "route"),
        [("https://evil.example", GENERAL), ("https://shop.example", f"{QUICK_ORDER}/export")],
        ids=["another origin", "another route"],
    )
    def test_nobody_else_may(self, stranger, settings, origin, route):
        settings.CORS_ALLOWED_ORIGINS = ["https://shop.example"]

        answer = stranger.options(route, headers={"Origin": origin, "Access-Control-Request-Method": "POST"})

        assert "Access-Control-Allow-Credentials" not in answer.headers

    def test_reading_the_capture_route_is_a_json_405(self, stranger):
        answer = stranger.get(GENERAL)

        assert (answer.status_code, list(answer.json())) == (405, ["error", "detail"])


@pytest.mark.django_db(transaction=True)
class TestALostSession:
    def test_a_session_that_the_server_closed_does_not_fail_the_capture(self, stranger):
        post(stranger, quick_order_event())
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
            connection.ensure_connection()
            other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])

        answer = post(stranger, quick_order_event())

        assert answer.json()["accepted"] == 1
        assert QuickOrderEvent.objects.count() == 2

    def test_a_statement_that_the_server_refused_is_not_tried_again(self, stranger, monkeypatch):
        tried: list[bytes] = []
        execute = prepared.execute

        def count(statement, parameters):
            tried.append(statement)
            return execute(statement, parameters)

        monkeypatch.setattr(prepared, "execute", count)
        with psycopg.connect(database_url()) as other, connection.cursor() as cursor:
            other.execute("LOCK TABLE telemetry_quickorderevent")
            cursor.execute("SET statement_timeout = '50ms'")

            answer = post(stranger, quick_order_event())

            cursor.execute("RESET statement_timeout")

        assert (answer.status_code, len(tried)) == (503, 1)


@pytest.mark.django_db(transaction=True)
class TestRacingClients:
    def test_an_event_posted_by_many_at_once_is_stored_once(self):
        events = [quick_order_event() for _ in range(40)]
        received: list[dict] = []

        def client(seed: int) -> None:
            # Every client sends the same events in an order of its own, which is where deadlocks would come from.
            mixed = sorted(events, key=lambda event: uuid.uuid5(uuid.NAMESPACE_OID, f"{seed}{event['id']}"))
            for start in range(0, len(mixed), 10):
                received.append(post(APIClient(), mixed[start : start + 10]).json())
            connection.close()

        threads = [threading.Thread(target=client, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert QuickOrderEvent.objects.count() == 40
        assert sum(answer["accepted"] for answer in received) == 40
        assert sum(answer["duplicates"] for answer in received) == 7 * 40
