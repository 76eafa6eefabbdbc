"""Recording of guardrail follow-ups, their timeline, and the state in which they leave a provider."""

import json
import threading
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from reporting.models import GuardrailFollowUp, IdempotencyKey, ProviderGuardrailStatus, SlackMessage
from reporting.recording import followups
from tests.database import capture
from tests.environment import API_KEY
from tests.factories import workflow_event

ROUTE = "/api/v1/reporting/guardrails/followups"


def follow_up(**changes):
    return {
        "providerId": "provider-viralhub",
        "providerName": "ViralHub",
        "action": "pause",
        "notes": "Delivery fell behind.",
        "platformContext": {
            "id": "instagram",
            "label": "Instagram DM Concierge",
            "handle": "@studio.nine",
            "platformType": "IG",
        },
        "conversionCursor": "spring-offer",
        "conversionHref": "https://shop.example/admin/reports?conversionCursor=spring-offer",
        **changes,
    }


def post(client, key=None, **changes):
    return post_raw(client, json.dumps(follow_up(**changes)), key)


def post_raw(client, content, key=None):
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.generic("POST", ROUTE, content, content_type="application/json", headers=headers)


def all_at_once(count, work):
    """Run ``work`` in ``count`` threads that start together, each with the API key and a connection of its own."""
    start = threading.Barrier(count)

    def run(number):
        client = APIClient(headers={"X-API-Key": API_KEY})
        start.wait()
        try:
            work(client, number)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.django_db
class TestRecording:
    def test_it_answers_with_the_entry_and_the_providers_state(self, api):
        answer = post(api)

        row = GuardrailFollowUp.objects.get()
        created_at = row.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert answer.status_code == 201
        assert answer.json() == {
            "entry": {
                "id": str(row.pk),
                "followUpId": str(row.pk),
                **follow_up(),
                "createdAt": created_at,
            },
            "status": {
                "providerId": "provider-viralhub",
                "providerName": "ViralHub",
                "isPaused": True,
                "lastAction": "pause",
                "updatedAt": created_at,
                "lastFollowUpId": str(row.pk),
            },
            "providerTelemetry": None,
        }

    def test_the_timeline_shows_the_same_entry_and_state(self, api):
        recorded = post(api).json()

        timeline = api.get(ROUTE, {"providerId": "provider-viralhub"}).json()

        assert timeline["entries"] == [recorded["entry"]]
        assert timeline["status"] == recorded["status"]

    @pytest.mark.parametrize(
        ("actions", "is_paused"),
        [
            (["pause"], True),
            (["resume"], False),
            (["escalate"], False),
            (["pause", "escalate"], True),
            (["pause", "resume"], False),
            (["pause", "resume", "escalate"], False),
        ],
    )
    def test_pause_sets_resume_clears_and_escalate_leaves_the_state(self, api, actions, is_paused):
        answers = [post(api, action=action).json() for action in actions]

        state = ProviderGuardrailStatus.objects.get()
        assert (state.is_paused, state.last_action) == (is_paused, actions[-1])
        assert answers[-1]["status"]["isPaused"] is is_paused
        assert str(state.last_follow_up_id) == answers[-1]["entry"]["id"]

    def test_a_clock_that_goes_back_does_not_turn_the_order_round(self, api):
        post(api)
        ahead = timezone.now() + timedelta(hours=1)
        ProviderGuardrailStatus.objects.update(updated_at=ahead)

        answer = post(api, action="resume").json()

        later = ahead + timedelta(microseconds=1)
        assert answer["entry"]["createdAt"] == later.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def test_providers_have_states_of_their_own(self, api):
        post(api)
        post(api, providerId="provider-other", action="resume")

        assert dict(ProviderGuardrailStatus.objects.values_list("pk", "is_paused")) == {
            "provider-viralhub": True,
            "provider-other": False,
        }

    @pytest.mark.habit(
        "A follow-up may name its provider by the id alone.",
        "The provider's known name and the platform of its last follow-up are filled in.",
    )
    def test_of_a_provider_that_is_given_by_its_id_the_rest_is_filled_in(self, api):
        first = post(api).json()["entry"]

        answer = post(api, providerName=None, platformContext=None).json()

        assert (answer["entry"]["providerName"], answer["status"]["providerName"]) == ("ViralHub", "ViralHub")
        assert answer["entry"]["platformContext"] == first["platformContext"]

    def test_an_empty_name_is_none(self, api):
        unknown = post(api, providerId="provider-new", providerName="").json()
        post(api)
        known = post(api, providerName="").json()

        assert (unknown["entry"]["providerName"], unknown["status"]["providerName"]) == ("", "")
        assert (known["entry"]["providerName"], known["status"]["providerName"]) == ("ViralHub", "ViralHub")

    def test_what_is_filled_in_takes_no_statement_beside_the_one_that_records(self, api, django_assert_num_queries):
        post(api)

        # The one is prepared, on the driver's own cursor, which Django does not count.
        with django_assert_num_queries(0):
            post(api, providerName=None, platformContext=None)

    def test_a_platform_that_is_given_is_kept(self, api):
        post(api)

        entry = post(api, providerName=None, platformContext={"id": "tiktok"}).json()["entry"]

        assert entry["platformContext"] == {"id": "tiktok", "label": None, "handle": None, "platformType": None}

    def test_a_name_without_a_platform_is_about_no_platform(self, api):
        post(api)

        assert post(api, platformContext=None).json()["entry"]["platformContext"] is None

    def test_both_spellings_of_keys_are_read(self, api):
        snake = {
            "provider_id": "provider-viralhub",
            "provider_name": "ViralHub",
            "action": "pause",
            "platform_context": {"id": "instagram", "platform_type": "IG"},
            "conversion_href": "HTTPS://shop.example/",
        }

        entry = post_raw(api, json.dumps(snake)).json()["entry"]

        assert entry["platformContext"] == {"id": "instagram", "label": None, "handle": None, "platformType": "IG"}
        assert entry["conversionHref"] == "HTTPS://shop.example/"

    @pytest.mark.parametrize("context", [None, {}, {"id": None}, {"unknown": 1}])
    def test_a_context_that_says_nothing_is_null(self, api, context):
        assert post(api, platformContext=context).json()["entry"]["platformContext"] is None

    def test_what_may_be_null_may_be_missing(self, api):
        answer = post_raw(api, json.dumps({"providerId": "p", "action": "escalate"}))

        assert answer.status_code == 201
        assert {name for name, value in answer.json()["entry"].items() if value is not None} == {
            "id",
            "followUpId",
            "providerId",
            "action",
            "createdAt",
        }

    def test_an_empty_link_or_slice_is_none(self, api):
        entry = post(api, conversionCursor="", conversionHref="").json()["entry"]

        assert (entry["conversionCursor"], entry["conversionHref"]) == (None, None)

    @pytest.mark.habit(
        "A follow-up's conversionHref may be relative: /admin/reports?…",
        "It is resolved against PUBLIC_BASE_URL and stored with its host.",
    )
    @pytest.mark.parametrize("href", ["/admin/reports?conversionCursor=a#x", "admin/reports?conversionCursor=a#x"])
    def test_a_relative_link_is_one_of_the_desk(self, api, settings, href):
        settings.PUBLIC_BASE_URL = "https://desk.example"

        entry = post(api, conversionHref=href).json()["entry"]

        assert entry["conversionHref"] == "https://desk.example/admin/reports?conversionCursor=a#x"

    @pytest.mark.habit(
        "A follow-up may carry a conversionCursor without a link.",
        "It gets the link of the page, the same in the row, in Slack and on the page.",
    )
    def test_a_cursor_without_a_link_gets_the_one_of_the_page(self, api, settings):
        settings.PUBLIC_BASE_URL = "https://desk.example"
        settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = "http://127.0.0.1:9/services/secret"
        link = "https://desk.example/admin/reports?conversionCursor=spring%26co%2F1#experiment-analytics"

        entry = post(api, conversionCursor="spring&co/1", conversionHref=None).json()["entry"]

        assert entry["conversionHref"] == GuardrailFollowUp.objects.get().conversion_href == link
        assert f"<{link}|Open conversions>: Historical conversion slice" in SlackMessage.objects.get().text

    def test_the_longest_cursor_has_a_link_that_fits(self, api):
        entry = post(api, conversionCursor="🛒" * 500, conversionHref=None).json()["entry"]

        assert post(api, conversionHref=entry["conversionHref"]).status_code == 201

    def test_attachments_are_kept_and_do_not_leave_with_the_row(self, api):
        sent = [{"id": "a-1", "name": "screen.png", "size": 7, "tags": [None]}, "notes.pdf"]

        answer = post(api, attachments=sent)

        assert answer.status_code == 201
        assert GuardrailFollowUp.objects.get().attachments == sent
        assert "attachments" not in answer.json()["entry"]

    @pytest.mark.parametrize("none", [None, []])
    def test_no_attachments_are_null(self, api, none):
        post(api, attachments=none)

        assert GuardrailFollowUp.objects.get().attachments is None

    def test_unknown_keys_are_ignored(self, api):
        assert post(api, screenshots=[{"url": "data:" + "x" * 50_000}], createdAt="1999").status_code == 201

    def test_notes_of_500_characters_are_kept_as_they_were_sent(self, api):
        notes = " ünïcode <b>&\n" + "x" * 486

        assert post(api, notes=notes).json()["entry"]["notes"] == notes


@pytest.mark.django_db(transaction=True)
class TestDigest:
    @pytest.fixture(autouse=True)
    def _webhook(self, settings):
        settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = "http://127.0.0.1:9/services/secret"

    def test_a_committed_follow_up_has_its_digest(self, api):
        for _ in range(2):
            post(api, "a-key")

        assert SlackMessage.objects.get().dedupe_key == f"followup:{GuardrailFollowUp.objects.get().pk}"

    def test_a_follow_up_that_is_rolled_back_has_none(self, api, monkeypatch):
        monkeypatch.setattr(followups, "status_wire", lambda status: 1 / 0)
        api.raise_request_exception = False

        assert post(api).status_code == 500
        assert not GuardrailFollowUp.objects.exists()
        assert not SlackMessage.objects.exists()


@pytest.mark.django_db
class TestIdempotency:
    def test_the_same_key_and_body_give_the_same_answer_and_one_row(self, api):
        answers = [post(api, "a-key") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [201] * 3
        assert answers[0].json() == answers[1].json() == answers[2].json()
        assert GuardrailFollowUp.objects.count() == 1

    def test_the_order_of_keys_in_the_body_does_not_matter(self, api):
        first = post(api, "a-key").json()

        turned = dict(reversed(follow_up().items()))

        assert post_raw(api, json.dumps(turned), "a-key").json() == first

    def test_the_same_key_with_another_body_is_a_conflict(self, api):
        post(api, "a-key")

        answer = post(api, "a-key", notes="Other notes.")

        assert (answer.status_code, list(answer.json())) == (409, ["Idempotency-Key"])
        assert GuardrailFollowUp.objects.count() == 1

    def test_another_key_records_again(self, api):
        post(api, "a-key")
        post(api, "b-key")

        assert GuardrailFollowUp.objects.count() == 2

    def test_a_refused_body_does_not_use_its_key_up(self, api):
        assert post(api, "a-key", action="stop").status_code == 400

        assert post(api, "a-key").status_code == 201

    def test_a_key_is_free_again_after_a_day(self, api):
        first = post(api, "a-key").json()
        IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24))

        answer = post(api, "a-key", notes="Other notes.")

        assert answer.status_code == 201
        assert answer.json()["entry"]["id"] != first["entry"]["id"]
        assert IdempotencyKey.objects.count() == 1

    def test_a_key_holds_for_a_day(self, api):
        post(api, "a-key")
        IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=59))

        assert post(api, "a-key", notes="Other notes.").status_code == 409

    def test_expired_keys_are_pruned(self, api):
        for key in ("old-1", "old-2", "young"):
            post(api, key)
        IdempotencyKey.objects.exclude(pk="young").update(created_at=timezone.now() - timedelta(days=2))

        post(api, "new")

        assert set(IdempotencyKey.objects.values_list("pk", flat=True)) == {"young", "new"}

    @pytest.mark.parametrize("key", ["", "x" * 201, "a\x00b"])
    def test_a_key_has_limits(self, api, key):
        answer = post(api, key)

        assert (answer.status_code, list(answer.json())) == (400, ["Idempotency-Key"])


BAD_FIELDS: list[tuple[str, object, str]] = [
    ("providerId", None, "providerId"),
    ("providerId", "", "providerId"),
    ("providerId", 7, "providerId"),
    ("providerId", "x" * 201, "providerId"),
    ("providerId", "a\x00b", "providerId"),
    ("providerName", ["a"], "providerName"),
    ("providerName", "x" * 501, "providerName"),
    ("action", None, "action"),
    ("action", "", "action"),
    ("action", "stop", "action"),
    ("action", "PAUSE", "action"),
    ("action", 1, "action"),
    ("action", True, "action"),
    ("action", ["pause"], "action"),
    ("action", {"pause": 1}, "action"),
    ("notes", "x" * 501, "notes"),
    ("notes", 7, "notes"),
    ("notes", "a\x00b", "notes"),
    ("platformContext", "instagram", "platformContext"),
    ("platformContext", [], "platformContext"),
    ("platformContext", {"id": 7}, "platformContext.id"),
    ("platformContext", {"label": "x" * 201}, "platformContext.label"),
    ("platformContext", {"handle": {}}, "platformContext.handle"),
    ("platformContext", {"platformType": False}, "platformContext.platformType"),
    ("conversionCursor", 7, "conversionCursor"),
    ("conversionCursor", "x" * 501, "conversionCursor"),
    ("conversionHref", 7, "conversionHref"),
    ("conversionHref", "javascript:alert(1)", "conversionHref"),
    ("conversionHref", "java\nscript:alert(1)", "conversionHref"),
    ("conversionHref", " https://shop.example/", "conversionHref"),
    ("conversionHref", "https://shop.example/\n", "conversionHref"),
    ("conversionHref", "https://shop.example/|forged", "conversionHref"),
    ("conversionHref", "https://shop.example/><b>", "conversionHref"),
    ("conversionHref", "https:///path", "conversionHref"),
    ("conversionHref", "http://", "conversionHref"),
    ("conversionHref", "//shop.example/", "conversionHref"),
    ("conversionHref", "/admin reports", "conversionHref"),
    ("conversionHref", "data:text/html,x", "conversionHref"),
    ("conversionHref", "ftp://shop.example/", "conversionHref"),
    ("conversionHref", "https://shop.example/" + "x" * 8_000, "conversionHref"),
    ("conversionHref", "/" + "x" * 8_000, "conversionHref"),
    ("attachments", {"name": "screen.png"}, "attachments"),
    ("attachments", "screen.png", "attachments"),
    ("attachments", [{}] * 21, "attachments"),
    ("attachments", ["x" * 70_000], "attachments"),
    ("attachments", [{"name": "a\x00b"}], "attachments[0].name"),
]


@pytest.mark.django_db
class TestBadInput:
    @pytest.mark.parametrize(("field", "value", "named"), BAD_FIELDS)
    def test_a_bad_field_is_named(self, api, field, value, named):
        answer = post(api, **{field: value})

        assert (answer.status_code, list(answer.json())) == (400, [named])
        assert not GuardrailFollowUp.objects.exists()
        assert not ProviderGuardrailStatus.objects.exists()

    def test_the_answer_says_what_is_allowed(self, api):
        answer = post(api, action="stop", notes="x" * 501, conversionHref="javascript:alert(1)")

        assert answer.json() == {
            "action": ["Must be one of pause, resume, escalate."],
            "notes": ["Must be a string of 0 to 500 characters."],
            "conversionHref": ["Must be an http:// or https:// URL of at most 8000 characters."],
        }

    def test_an_empty_object_lacks_its_provider_and_action(self, api):
        answer = post_raw(api, "{}")

        assert (answer.status_code, sorted(answer.json())) == (400, ["action", "providerId"])

    @pytest.mark.parametrize("body", ["[]", '[{"providerId": "p", "action": "pause"}]', "7", "null", "{", "{}\n{}"])
    def test_a_body_that_is_no_object_is_refused(self, api, body):
        assert post_raw(api, body).json() == {"body": ["Must be a JSON object."]}

    @pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "ten", ""])
    def test_a_limit_out_of_range_is_refused(self, api, limit):
        answer = api.get(ROUTE, {"limit": limit})

        assert (answer.status_code, answer.json()) == (400, {"limit": ["Must be a whole number from 1 to 100."]})

    @pytest.mark.parametrize("provider_id", ["", "\x00", "x" * 201])
    def test_a_provider_that_no_row_can_have_is_refused(self, api, provider_id):
        answer = api.get(ROUTE, {"providerId": provider_id})

        assert (answer.status_code, list(answer.json())) == (400, ["providerId"])

    def test_an_unknown_provider_is_not_found(self, api):
        answer = api.get(ROUTE, {"providerId": "provider-nobody"})

        assert (answer.status_code, list(answer.json())) == (404, ["providerId"])


@pytest.mark.django_db
class TestTimeline:
    def test_without_a_provider_it_is_that_of_all(self, api):
        for provider in ("a", "b", "a"):
            post(api, providerId=provider)

        timeline = api.get(ROUTE).json()

        assert [entry["providerId"] for entry in timeline["entries"]] == ["a", "b", "a"]
        assert (timeline["nextCursor"], timeline["status"], timeline["providerTelemetry"]) == (None, None, None)

    def test_it_shows_fifteen_unless_asked_for_more(self, api):
        for _ in range(16):
            post(api)

        assert len(api.get(ROUTE).json()["entries"]) == 15
        assert len(api.get(ROUTE, {"limit": "100"}).json()["entries"]) == 16

    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("query", [{}, {"providerId": "a"}])
    def test_a_walk_yields_every_entry_once_in_its_order_ties_included(self, api, order, query):
        for number in range(30):
            post(api, providerId="abc"[number % 3])
        # What one provider cannot have, all of them together can: many rows on one timestamp.
        GuardrailFollowUp.objects.filter(
            position__lte=GuardrailFollowUp.objects.order_by("position")[20].position
        ).update(created_at=timezone.now())
        seen: list[tuple[str, str]] = []
        cursor: dict[str, str] | None = {}

        while cursor is not None:
            page = api.get(ROUTE, {"limit": "4", "order": order, **query, **cursor}).json()
            seen += [(entry["createdAt"], entry["id"]) for entry in page["entries"]]
            cursor = {"cursor": page["nextCursor"]} if page["nextCursor"] else None

        assert len(seen) == len(set(seen)) == (10 if query else 30)
        assert seen == sorted(seen, reverse=order == "desc")

    def test_the_providers_telemetry_sums_up_its_events_in_the_window(self, api):
        post(api)
        capture(
            [
                workflow_event(recordedAt="2026-11-08T11:00:00Z", workflowAction="queue.pause"),
                workflow_event(recordedAt="2026-11-08T10:00:00Z"),
                workflow_event(recordedAt="2026-11-08T12:00:00Z", providerId="provider-other"),
            ]
        )

        telemetry = api.get(ROUTE, {"providerId": "provider-viralhub"}).json()["providerTelemetry"]

        assert telemetry == {
            "totalActions": 2,
            "lastAction": "queue.pause",
            "lastActionAt": "2026-11-08T11:00:00.000000Z",
        }

    def test_events_before_the_window_do_not_count(self, api):
        post(api)
        capture([workflow_event()])
        for _ in range(2):
            capture([workflow_event(providerId="provider-other") for _ in range(1_000)])

        assert api.get(ROUTE, {"providerId": "provider-viralhub"}).json()["providerTelemetry"] is None

    def test_a_page_of_a_provider_takes_three_statements(self, api, django_assert_num_queries):
        post(api)

        with django_assert_num_queries(3):
            api.get(ROUTE, {"providerId": "provider-viralhub"})


@pytest.mark.django_db
class TestAccess:
    def test_a_stranger_is_turned_away(self, stranger):
        assert post(stranger).status_code == 401
        assert stranger.get(ROUTE).status_code == 401

    def test_without_a_configured_key_nothing_is_let_in(self, api, settings):
        settings.CHECKOUT_API_KEYS = []

        assert post(api).status_code == 401
        assert api.get(ROUTE).status_code == 401
        assert not GuardrailFollowUp.objects.exists()

    def test_staff_need_the_permission_to_add_one(self, staff_with):
        assert post(staff_with("reporting.view_guardrailfollowup")).status_code == 403

    def test_staff_with_the_permission_to_add_may_not_list(self, staff_with):
        client = staff_with("reporting.add_guardrailfollowup")

        assert post(client).status_code == 201
        assert client.get(ROUTE).status_code == 403

    def test_staff_need_the_permission_to_view_them(self, staff_with):
        assert staff_with("reporting.view_guardrailfollowup").get(ROUTE).status_code == 200

    def test_a_session_without_a_csrf_token_records_nothing(self):
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.create_superuser("operator", password="a-password-for-tests"))

        answer = post(client)

        assert (answer.status_code, list(answer.json())) == (403, ["detail"])
        assert not GuardrailFollowUp.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestRacingClients:
    def test_the_state_is_that_of_the_newest_row(self):
        def work(client, number):
            for turn in range(4):
                action = "pause" if (number + turn) % 2 else "resume"
                assert post(client, action=action).status_code == 201

        all_at_once(16, work)

        rows = list(GuardrailFollowUp.objects.order_by("created_at"))
        state = ProviderGuardrailStatus.objects.get()
        assert len({row.created_at for row in rows}) == len(rows) == 64
        assert [row.position for row in rows] == sorted(row.position for row in rows)
        assert (state.last_follow_up_id, state.updated_at) == (rows[-1].pk, rows[-1].created_at)
        assert (state.last_action, state.is_paused) == (rows[-1].action, rows[-1].action == "pause")

    def test_one_key_records_once_and_answers_all_alike(self):
        answers = []

        all_at_once(8, lambda client, _: answers.append(post(client, "a-key")))

        assert [answer.status_code for answer in answers] == [201] * 8
        assert len({json.dumps(answer.json(), sort_keys=True) for answer in answers}) == 1
        assert GuardrailFollowUp.objects.count() == 1

    def test_one_key_with_several_bodies_records_one_of_them(self):
        statuses = []

        def work(client, number):
            statuses.append(post(client, "a-key", notes=f"Client {number}").status_code)

        all_at_once(8, work)

        assert sorted(statuses) == [201] + [409] * 7
        assert GuardrailFollowUp.objects.count() == 1

    def test_an_expired_key_is_taken_by_one_of_several(self):
        IdempotencyKey.objects.create(
            key="a-key", fingerprint="old", answer={}, created_at=timezone.now() - timedelta(days=2)
        )
        answers = []

        all_at_once(8, lambda client, _: answers.append(post(client, "a-key").json()["entry"]["id"]))

        assert {uuid.UUID(answer) for answer in answers} == {GuardrailFollowUp.objects.get().pk}
