"""The window exports and the workflow summary."""

import json
import uuid

import pytest
from django.db import connection

from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent
from tests.database import capture
from tests.factories import quick_order_event, workflow_event

EXPORT = "/api/telemetry/quick-order/export"
WORKFLOW_EXPORT = "/api/telemetry/guardrail-workflow/export"
SUMMARY = "/api/reporting/guardrail-workflow"
FILL = {
    QuickOrderEvent: "INSERT INTO telemetry_quickorderevent (event_id, recorded_at, metadata, event, event_name)"
    " SELECT gen_random_uuid(), now(), '{}', '{}', 'quick_order.start' FROM generate_series(1, 20000)",
    GuardrailWorkflowEvent: "INSERT INTO telemetry_guardrailworkflowevent"
    " (event_id, recorded_at, metadata, event, workflow_action)"
    " SELECT gen_random_uuid(), now(), '{}', '{}', 'note.update' FROM generate_series(1, 20000)",
}


def lines(answer) -> list[dict]:
    return [json.loads(line) for line in answer.getvalue().splitlines()]


@pytest.mark.django_db
class TestWindowExport:
    def test_a_line_is_the_event_in_wire_shape(self, api):
        event = quick_order_event(id="evt_1731052800000_a1b2c3", name="quick_order.abort", reason="dismiss")
        capture([event])

        answer = api.get(EXPORT)

        assert answer["Content-Type"] == "application/x-ndjson"
        assert answer["Cache-Control"] == "no-store"
        assert "attachment; filename=" in answer["Content-Disposition"]
        assert lines(answer) == [
            {
                "id": str(QuickOrderEvent.objects.get().event_id),
                "originalId": "evt_1731052800000_a1b2c3",
                "name": "quick_order.abort",
                "source": "storefront",
                "recordedAt": "2026-11-08T08:04:48.397000Z",
                "sessionId": "qos_1ppgnt",
                "productId": "prod_tt_boost",
                "productTitle": "TikTok Momentum",
                "reason": "dismiss",
                "outcome": None,
                "guardrail": event["guardrail"],
                "metadata": {**event["metadata"], "reason": "dismiss"},
            }
        ]

    @pytest.mark.parametrize("accept", ["application/x-ndjson", "text/html", "application/json"])
    def test_it_answers_whatever_media_type_is_asked_for(self, api, accept):
        capture([quick_order_event()])

        answer = api.get(EXPORT, headers={"Accept": accept})

        assert (answer.status_code, answer["Content-Type"]) == (200, "application/x-ndjson")

    def test_it_comes_oldest_first_with_its_count_in_the_header(self, api):
        events = [workflow_event() for _ in range(7)]
        capture(events)

        answer = api.get(WORKFLOW_EXPORT)

        assert answer["X-Guardrail-Workflow-Events"] == "7"
        assert [line["id"] for line in lines(answer)] == [event["id"] for event in events]

    def test_a_limit_gives_the_newest(self, api):
        events = [quick_order_event() for _ in range(5)]
        capture(events)

        answer = api.get(EXPORT, {"limit": "2"})

        assert answer["X-Quick-Order-Events"] == "2"
        assert [line["id"] for line in lines(answer)] == [event["id"] for event in events[3:]]

    def test_a_limit_over_the_window_is_capped(self, api):
        capture([workflow_event() for _ in range(1_000)])
        capture([workflow_event() for _ in range(1_000)])
        capture([workflow_event() for _ in range(3)])

        answer = api.get(WORKFLOW_EXPORT, {"limit": "999999999999999999999"})

        assert answer["X-Guardrail-Workflow-Events"] == str(len(lines(answer))) == "2000"

    @pytest.mark.parametrize("limit", ["0", "-1", "1.5", "ten", "", "²", "\x00"])
    @pytest.mark.parametrize("route", [EXPORT, SUMMARY])
    def test_a_limit_that_is_no_positive_whole_number_is_refused(self, api, route, limit):
        answer = api.get(route, {"limit": limit})

        assert (answer.status_code, list(answer.json())) == (400, ["error", "limit"])

    def test_without_events_there_is_nothing_to_export(self, api):
        assert api.get(EXPORT).status_code == 404

    def test_a_large_window_is_read_by_few_statements(self, api, django_assert_max_num_queries):
        capture([quick_order_event() for _ in range(1_000)])

        with django_assert_max_num_queries(1 + 2):
            assert len(lines(api.get(EXPORT))) == 1_000


@pytest.mark.django_db
class TestConditional:
    @pytest.fixture
    def tag(self, api):
        capture([quick_order_event() for _ in range(3)])
        return api.get(EXPORT)["ETag"]

    @pytest.mark.parametrize("given", ["{}", '"another", {}', "*"])
    def test_who_has_the_window_is_told_so(self, api, tag, given):
        answer = api.get(EXPORT, headers={"If-None-Match": given.format(tag)})

        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", tag)
        assert answer["Cache-Control"] == "no-store"

    def test_it_costs_the_one_statement_that_finds_the_rows(self, api, tag, django_assert_num_queries):
        with django_assert_num_queries(1):
            api.get(EXPORT, headers={"If-None-Match": tag})

    def test_a_new_event_is_sent(self, api, tag):
        capture([quick_order_event()])

        answer = api.get(EXPORT, headers={"If-None-Match": tag})

        assert (answer.status_code, len(lines(answer))) == (200, 4)
        assert answer["ETag"] != tag

    def test_a_row_that_was_committed_late_is_sent(self, api, tag):
        late = QuickOrderEvent.objects.order_by("position")[1]
        QuickOrderEvent.objects.filter(pk=late.pk).delete()
        without = api.get(EXPORT)["ETag"]
        late.save(force_insert=True)

        assert api.get(EXPORT, headers={"If-None-Match": without}).status_code == 200
        assert api.get(EXPORT, headers={"If-None-Match": tag}).status_code == 304

    def test_another_row_at_the_same_position_is_sent(self, api, tag):
        newest = QuickOrderEvent.objects.latest("position")
        QuickOrderEvent.objects.filter(pk=newest.pk).update(event_id=uuid.uuid4())

        assert api.get(EXPORT, headers={"If-None-Match": tag}).status_code == 200

    def test_another_limit_is_another_content(self, api, tag):
        assert api.get(EXPORT, {"limit": "2"}, headers={"If-None-Match": tag}).status_code == 200
        assert api.get(EXPORT, {"limit": "3"}, headers={"If-None-Match": tag}).status_code == 304

    def test_another_feed_is_another_content(self, api, tag):
        capture([workflow_event()])

        assert api.get(WORKFLOW_EXPORT, headers={"If-None-Match": tag}).status_code == 200

    def test_a_stranger_learns_nothing(self, stranger, tag):
        assert stranger.get(EXPORT, headers={"If-None-Match": tag}).status_code == 401

    def test_an_empty_window_has_no_tag(self, api):
        assert api.get(EXPORT, headers={"If-None-Match": "*"}).status_code == 404


@pytest.mark.django_db
class TestSummary:
    def test_it_sums_up_the_newest_events(self, api):
        old = workflow_event(workflowAction="note.update", recordedAt="2026-11-08T09:00:00Z")
        capture([old, workflow_event(), workflow_event(recordedAt="2026-11-08T11:00:00Z")])

        assert api.get(SUMMARY, {"limit": "2"}).json() == {
            "totalEvents": 2,
            "lastCapturedAt": "2026-11-08T11:00:00.000000Z",
            "actionCounts": [
                {"action": "attachment.upload", "count": 2, "lastOccurredAt": "2026-11-08T11:00:00.000000Z"}
            ],
            "attachmentTotals": {"upload": 2, "remove": 0, "copy": 0, "tag": 0},
            "providerActivity": [
                {
                    "providerId": "provider-viralhub",
                    "providerName": "ViralHub",
                    "totalActions": 2,
                    "lastAction": "attachment.upload",
                    "lastActionAt": "2026-11-08T11:00:00.000000Z",
                }
            ],
        }

    def test_it_takes_one_statement(self, api, django_assert_num_queries):
        capture([workflow_event() for _ in range(100)])

        with django_assert_num_queries(1):
            api.get(SUMMARY)


@pytest.mark.django_db
@pytest.mark.parametrize("route", [EXPORT, WORKFLOW_EXPORT, SUMMARY])
class TestAccess:
    def test_a_stranger_is_turned_away(self, stranger, route):
        assert stranger.get(route).status_code == 401

    def test_a_wrong_key_is_turned_away(self, stranger, route):
        assert stranger.get(route, headers={"X-API-Key": "wrong-key"}).status_code == 401

    def test_without_a_configured_key_nothing_is_let_in(self, api, settings, route):
        settings.CHECKOUT_API_KEYS = []

        assert api.get(route).status_code == 401
        assert api.get(route, headers={"X-API-Key": ""}).status_code == 401

    def test_each_of_several_keys_is_valid(self, stranger, settings, route):
        settings.CHECKOUT_API_KEYS = ["the-old-key", "the-new-key"]

        for key in settings.CHECKOUT_API_KEYS:
            assert stranger.get(route, headers={"X-API-Key": key}).status_code != 401

    def test_staff_need_the_permission_to_view_the_model(self, staff_with, route):
        model = "quickorderevent" if "quick-order" in route else "guardrailworkflowevent"

        assert staff_with().get(route).status_code == 403
        assert staff_with(f"telemetry.view_{model}").get(route).status_code in {200, 404}


@pytest.mark.django_db
@pytest.mark.parametrize("model", FILL)
def test_a_window_is_read_by_the_primary_key_whatever_the_table_holds(model):
    with connection.cursor() as cursor:
        # Fewer rows than these would be read from end to end, and rightly so.
        cursor.execute(FILL[model])
        cursor.execute(f"ANALYZE {model._meta.db_table}")

    plan = model.objects.newest(100).values_list("position", flat=True).explain()

    assert f"Index Only Scan Backward using {model._meta.db_table}_pkey" in plan
