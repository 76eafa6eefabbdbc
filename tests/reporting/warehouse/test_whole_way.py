"""The whole way: capture and recording, exports, the shim's stage, and a DuckDB file that equals PostgreSQL."""

import os
import uuid
from datetime import UTC, datetime
from io import StringIO

import orjson
import pytest
from django.core.management import call_command
from django.db import connection

from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.feeds.checksums import id_sum_sql
from reporting.feeds.shapes import model_of, warehouse_rows, wire_rows
from reporting.models import ExportRun
from smplat.lib import signing
from tests.factories import quick_order_event, workflow_event
from tests.reporting.warehouse.builders import opened, table

#: Generated rows of each feed, beside those that come through the views; ROWS=100000 for more.
ROWS = int(os.environ.get("ROWS", "25000"))
SECRET = "whsec_" + "c21wbGF0LXRlc3Qtc2VjcmV0LTAxMjM0NTY3"
HARD_TEXT = "Zürich 👍 \\ \" \n \t\u2028 ' ; -- </script>"
# One row in seven has a null, and each has a moment of its own in microseconds.
_SEGMENTS = """
    INSERT INTO reporting_pricingexperimentsegment
        (event_id, journey_id, order_id, order_number, slug, variant_key, variant_name, is_control, status,
         feature_flag_key, recorded_at)
    SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), CASE WHEN i % 7 > 0 THEN 'SM-' || i END,
        'spring-' || i % 9, 'Variant ' || i % 3, CASE WHEN i % 7 > 0 THEN %(text)s || i END, i % 2 = 0, 'running',
        CASE WHEN i % 7 = 0 THEN '' END, TIMESTAMPTZ '2026-01-01 00:00Z' + i * INTERVAL '61.000007 seconds'
    FROM generate_series(1, %(rows)s) AS i"""
_FOLLOWUPS = """
    INSERT INTO provider_guardrail_followup
        (follow_up_id, provider_id, provider_name, action, notes, platform_context_id, platform_context_handle,
         conversion_cursor, created_at)
    SELECT gen_random_uuid(), 'provider-' || i % 50, CASE WHEN i % 7 > 0 THEN %(text)s END,
        (ARRAY['pause', 'resume', 'escalate'])[1 + i % 3], CASE WHEN i % 7 > 0 THEN %(text)s || i END,
        CASE WHEN i % 5 > 0 THEN 'instagram' END, CASE WHEN i % 4 > 0 THEN '@' || i END,
        CASE WHEN i % 3 > 0 THEN 'slug-' || i END, TIMESTAMPTZ '2026-01-01 00:00Z' + i * INTERVAL '61.000007 seconds'
    FROM generate_series(1, %(rows)s) AS i"""
_EVENT = """
    SELECT i, gen_random_uuid() AS id, TIMESTAMPTZ '2026-01-01 00:00Z' + i * INTERVAL '61.000007 seconds' AS at,
        CASE WHEN i % 7 > 0 THEN %(text)s || i END AS label,
        jsonb_build_object('n', 9007199254740993 + i, 'x', i / 8.0, 'text', %(text)s, 'none', NULL, 'list',
            '[1, {}]'::jsonb) AS metadata,
        jsonb_build_object('platformSlug', CASE WHEN i % 5 > 0 THEN 'tiktok' END, 'guardrailStatus', 'warning')
            AS guardrail
    FROM generate_series(1, %(rows)s) AS i"""
_QUICK_ORDERS = f"""
    INSERT INTO telemetry_quickorderevent
        (event_id, recorded_at, metadata, event, session_id, event_name, product_title, platform_context)
    SELECT id, at, metadata, jsonb_build_object('id', id, 'name', 'quick_order.start', 'guardrail', guardrail),
        'qos_' || i, 'quick_order.start', label, guardrail ->> 'platformSlug'
    FROM ({_EVENT}) AS e"""  # noqa: S608
_WORKFLOW = f"""
    INSERT INTO telemetry_guardrailworkflowevent
        (event_id, recorded_at, metadata, event, provider_id, provider_name, workflow_action, source,
         guardrail_platform_slug, guardrail_status)
    SELECT id, at, metadata,
        jsonb_build_object('id', id, 'name', 'guardrail.workflow', 'source', 'admin', 'guardrail', guardrail),
        'provider-' || i % 50, label, 'note.update', 'admin', guardrail ->> 'platformSlug', 'warning'
    FROM ({_EVENT}) AS e"""  # noqa: S608


def generate() -> None:
    """Add the generated rows by one statement a feed."""
    with connection.cursor() as cursor:
        for statement in (_SEGMENTS, _FOLLOWUPS, _QUICK_ORDERS, _WORKFLOW):
            # The statements hold a percent sign of SQL's own.
            cursor.execute(statement.replace(" % ", " %% "), {"rows": ROWS, "text": HARD_TEXT})


def capture_and_record(client, api) -> None:
    """Send rows through the views, as the storefront and the operators do; some events come twice."""
    events = [
        quick_order_event(metadata={"platformType": "ig", "text": HARD_TEXT, "n": 2**63 - 1}, productTitle=HARD_TEXT),
        quick_order_event(id="evt_1731052800000_a1b2c3", guardrail=None, recordedAt="2026-11-08T09:04:48.397123+01:00"),
        quick_order_event(name="quick_order.abort", reason="Preis zu hoch", guardrail={"platformSlug": ""}),
        workflow_event(providerId=None, metadata={}),
        workflow_event(guardrail=None, workflowAction="queue.pause"),
    ]
    for _ in range(2):
        assert client.post("/api/telemetry", orjson.dumps(events), "application/json").status_code == 202
    experiment = {
        "slug": "spring",
        "variantKey": "b",
        "isControl": False,
        "status": "running",
        "variantName": HARD_TEXT,
    }
    path = f"/api/v1/orders/{uuid.uuid4()}/onboarding/pricing-experiments"
    assert api.post(path, {"experiments": [experiment]}, format="json").status_code == 202
    follow_up = {
        "providerId": "p",
        "action": "escalate",
        "notes": HARD_TEXT,
        "platformContext": {"id": "ig", "label": "Instagram", "handle": "@smplat", "platformType": "IG"},
    }
    assert api.post("/api/v1/reporting/guardrails/followups", follow_up, format="json").status_code == 201


def deliver_to_the_shim(client, feed, events) -> None:
    """Post rows to the shim, signed, as the hourly job's webhook does: the lake holds them too."""
    body = orjson.dumps({feed.webhook_key: events})
    path = f"/api/v1/ingest/{feed.folder}"
    headers = signing.signed_headers(body, [SECRET], datetime.now(UTC))
    assert client.post(path, body, "application/json", headers=headers).status_code == 202


def export(feed) -> None:
    run = runs.perform(runs.request_run(feed, ExportRun.Trigger.SCHEDULE))
    assert run.state == ExportRun.State.SUCCEEDED, run.error


def in_postgresql(feed):
    """The rows of a feed by key, each as the columns of the reference."""
    rows = (tuple(row.values()) for row in warehouse_rows(feed, model_of(feed)._default_manager.all()))
    return {row[0]: row for row in rows}


def id_sum_in_postgresql(feed) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {id_sum_sql(feed.key_column)} FROM {model_of(feed)._meta.db_table}")  # noqa: S608
        return int(cursor.fetchone()[0])


def id_sum_in_duckdb(feed, path) -> int:
    with opened(path) as warehouse:
        return int(warehouse.execute(f"SELECT {id_sum_sql(feed.key_column)} FROM {feed.table}").fetchall()[0][0])  # noqa: S608


@pytest.mark.django_db(transaction=True)
def test_what_was_captured_and_recorded_is_in_the_warehouse_column_by_column(client, api, settings, tmp_path):
    settings.ANALYTICS_WEBHOOK_SECRETS = [SECRET]
    generate()
    capture_and_record(client, api)
    for feed in FEEDS.values():
        export(feed)
        if feed.webhook_key:
            newest = model_of(feed)._default_manager.order_by("-position")[:500]
            deliver_to_the_shim(client, feed, list(wire_rows(feed, newest)))
    # A second object of each window feed holds the window again.
    assert client.post("/api/telemetry", orjson.dumps([quick_order_event()]), "application/json").status_code == 202
    export(FEEDS["quick_order"])
    said = StringIO()

    call_command("load_warehouse", "--target", f"duckdb://{tmp_path}/w.duckdb", stderr=said)

    assert "refused" not in said.getvalue().replace("; 0 refused", "")
    for feed in FEEDS.values():
        sent, arrived = in_postgresql(feed), table(tmp_path / "w.duckdb", feed.key)
        assert len(arrived) == len(sent) > ROWS
        assert [key for key in sent if sent[key] != arrived.get(key)] == []
        assert id_sum_in_postgresql(feed) == id_sum_in_duckdb(feed, tmp_path / "w.duckdb")
