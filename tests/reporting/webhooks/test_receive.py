"""The ingestion shim: from signed messages in wire shape to dated objects in warehouse shape."""

import base64
import hashlib
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from django.db import connections
from rest_framework.test import APIClient
from standardwebhooks.webhooks import Webhook

from reporting.exports.sinks import SinkError
from reporting.exports.sinks.webhook import WebhookSink
from reporting.feeds import FEEDS, Feed
from reporting.feeds.checksums import id_number
from reporting.feeds.lines import Line
from reporting.feeds.shapes import model_of, warehouse_rows, wire_rows
from reporting.lake import storage
from reporting.webhooks import receive
from smplat.lib import signing
from smplat.lib.times import iso
from tests.database import record_follow_up, record_segment

FOLLOW_UPS, SEGMENTS = FEEDS["guardrail_followups"], FEEDS["onboarding_segments"]
PATHS = {
    "guardrail_followups": "/api/v1/ingest/guardrail-followups",
    "onboarding_segments": "/api/v1/ingest/onboarding-segments",
}
OLD, NEW = (f"whsec_{base64.b64encode(bytes([letter]) * 32).decode()}" for letter in b"on")
TRICKY = 'a "quote", a \\ backslash,\na line,\ttab, 🦜 and \u2028'


@pytest.fixture(autouse=True)
def stage(settings, tmp_path: Path) -> Path:
    """The folder of an empty stage; messages may be signed with either of two secrets."""
    settings.INGEST_STAGE_URI = (tmp_path / "stage").as_uri()
    settings.ANALYTICS_WEBHOOK_SECRETS = [OLD, NEW]
    return tmp_path / "stage"


def follow_up(**changes: object) -> dict[str, object]:
    """A follow-up in wire shape."""
    identifier = str(uuid.uuid4())
    return {
        "id": identifier,
        "followUpId": identifier,
        "providerId": "provider-viralhub",
        "providerName": "ViralHub",
        "action": "pause",
        "notes": TRICKY,
        "platformContext": {"id": "tiktok", "label": "TikTok", "handle": None, "platformType": "tiktok"},
        "conversionCursor": None,
        "conversionHref": None,
        "createdAt": "2026-11-08T23:59:59.123456Z",
        **changes,
    }


def segment(**changes: object) -> dict[str, object]:
    """A segment in wire shape."""
    return {
        "eventId": str(uuid.uuid4()),
        "journeyId": str(uuid.uuid4()),
        "orderId": str(uuid.uuid4()),
        "orderNumber": None,
        "slug": "spring-offer",
        "variantKey": "a",
        "variantName": TRICKY,
        "isControl": False,
        "status": "running",
        "featureFlagKey": None,
        "assignmentStrategy": None,
        "recordedAt": "2026-11-08T08:00:00.000001Z",
        **changes,
    }


def body_of(*rows: object, feed: Feed = FOLLOW_UPS) -> bytes:
    return json.dumps({feed.webhook_key: rows}, ensure_ascii=False).encode()


def post(body: bytes, feed: Feed = FOLLOW_UPS, secret: str = NEW, now: datetime | None = None, **changes: str):
    """Send a signed message; ``changes`` replace its headers, which are signed with an id of their own."""
    headers = signing.signed_headers(body, [secret], now or datetime.now(UTC))
    if identifier := changes.pop("identifier", None):
        headers = signed_as(identifier, body)
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return APIClient(headers=headers).post(PATHS[feed.key], body, content_type="application/json")


def signed_as(identifier: str, body: bytes) -> dict[str, str]:
    now = datetime.now(UTC)
    signature = Webhook(NEW).sign(identifier, now, body.decode())
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def files(stage: Path) -> list[str]:
    return sorted(str(path.relative_to(stage)) for path in stage.rglob("*") if path.is_file())


def rows_in(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.django_db
class TestMapping:
    def test_a_message_becomes_a_dated_object_and_its_manifest(self, stage):
        rows = [follow_up(), follow_up(platformContext=None, notes=None, createdAt="2026-11-09T00:00:00.000001Z")]
        body = body_of(*rows)

        answer = post(body)

        key = f"guardrail_followups/dt=2026-11-08/{signing.message_id(body)}.ndjson"
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "rows": 2, "object": key})
        assert files(stage) == [key, f"{key}.manifest.json"]
        first, second = rows_in(stage / key)
        assert list(first) == [column.name for column in FOLLOW_UPS.columns]
        assert first == {
            "follow_up_id": rows[0]["id"],
            "provider_id": "provider-viralhub",
            "provider_name": "ViralHub",
            "action": "pause",
            "notes": TRICKY,
            "platform_context_id": "tiktok",
            "platform_context_label": "TikTok",
            "platform_context_handle": None,
            "platform_context_type": "tiktok",
            "conversion_cursor": None,
            "conversion_href": None,
            "created_at": "2026-11-08T23:59:59.123456Z",
        }
        assert (second["platform_context_id"], second["notes"]) == (None, None)

    def test_the_manifest_proves_the_object(self, stage):
        rows = [segment(), segment(recordedAt="2026-11-08T08:00:02.000000Z")]
        body = body_of(*rows, feed=SEGMENTS)

        key = post(body, SEGMENTS).json()["object"]

        content = (stage / key).read_bytes()
        manifest = json.loads((stage / f"{key}.manifest.json").read_text())
        assert key.startswith("onboarding_segments/dt=2026-11-08/msg_")
        assert manifest.pop("createdAt").endswith("Z")
        assert manifest == {
            "feed": "onboarding_segments",
            "shape": "warehouse",
            "object": f"{stage.as_uri()}/{key}",
            "bytes": len(content),
            "rows": 2,
            "sha256": hashlib.sha256(content).hexdigest(),
            "firstPosition": None,
            "lastPosition": None,
            "firstRecordedAt": "2026-11-08T08:00:00.000001Z",
            "lastRecordedAt": "2026-11-08T08:00:02.000000Z",
            "idSum": sum(id_number(str(row["eventId"])) for row in rows),
            "run": signing.message_id(body),
        }

    def test_what_other_senders_write_differently_is_made_one(self, stage):
        identifier = str(uuid.uuid4())
        row = follow_up(followUpId=None, id=identifier.upper(), createdAt="2026-11-09T01:30:00+02:00", unknown=[1])

        key = post(body_of(row)).json()["object"]

        stored = rows_in(stage / key)[0]
        assert key.startswith("guardrail_followups/dt=2026-11-08/")
        assert (stored["follow_up_id"], stored["created_at"]) == (identifier, "2026-11-08T23:30:00.000000Z")
        assert "unknown" not in stored

    @pytest.mark.parametrize(
        ("changes", "field", "says"),
        [
            ({"createdAt": None}, "createdAt", "Must not be null or missing."),
            ({"createdAt": "yesterday"}, "createdAt", "Must be a time from 1970 to 2200"),
            ({"createdAt": "2026-11-08T08:00:00"}, "createdAt", "Must be a time"),
            ({"createdAt": "2026-02-30T08:00:00Z"}, "createdAt", "Must be a time"),
            ({"createdAt": "0001-01-01T00:00:00+14:00"}, "createdAt", "Must be a time"),
            ({"createdAt": "2200-01-01T00:00:00Z"}, "createdAt", "Must be a time"),
            ({"createdAt": 1762588800}, "createdAt", "Must be a time"),
            ({"followUpId": "1"}, "followUpId", "Must be a UUID."),
            ({"followUpId": 1}, "followUpId", "Must be a UUID."),
            ({"followUpId": None, "id": None}, "followUpId", "Must not be null"),
            ({"providerId": 7}, "providerId", "Must be a string of at most 200 characters."),
            ({"providerId": "x" * 201}, "providerId", "Must be a string of at most 200 characters."),
            ({"platformContext": "tiktok"}, "platformContext", "Must be an object or null."),
            ({"platformContext": {"id": 1}}, "platformContext.id", "Must be a string"),
            ({"notes": "a\x00b"}, "notes", "holds a NUL character"),
            ({"notes": "\ud800"}, "notes", "lone surrogate"),
        ],
    )
    def test_a_row_that_does_not_fit_is_named(self, stage, changes, field, says):
        answer = post(json.dumps({"followUps": [follow_up(), follow_up(**changes)]}).encode())

        assert answer.status_code == 400
        assert list(answer.json()) == [f"followUps[1].{field}"]
        assert says in answer.json()[f"followUps[1].{field}"][0]
        assert not stage.exists()

    def test_a_flag_is_no_number(self, stage):
        answer = post(body_of(segment(isControl=1), feed=SEGMENTS), SEGMENTS)

        assert (answer.status_code, answer.json()) == (400, {"events[0].isControl": ["Must be true or false."]})

    def test_what_earlier_versions_stored_is_taken(self, stage):
        answer = post(body_of(segment(variantName="x" * 500), feed=SEGMENTS), SEGMENTS)

        assert answer.status_code == 202, answer.content

    def test_what_a_storefront_did_not_send_is_null_on_the_stage(self, stage):
        row = segment()
        for name in ("variantName", "isControl", "status"):
            del row[name]

        assert post(body_of(row, feed=SEGMENTS), SEGMENTS).status_code == 202

        (path,) = stage.glob("onboarding_segments/*/*.ndjson")
        kept = json.loads(path.read_text())
        assert (kept["variant_name"], kept["is_control"], kept["status"]) == (None, None, None)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (b"", "body"),
            (b"[]", "body"),
            (b"[{}]", "body"),
            (b"not JSON", "body"),
            (b"{}\n{}", "body"),
            (b"7", "body"),
            (b"[" * 100_000, "body"),
            (b"{}", "followUps"),
            (b'{"events": []}', "followUps"),
            (b'{"followUps": []}', "followUps"),
            (b'{"followUps": {}}', "followUps"),
            (b'{"followUps": [7]}', "followUps[0]"),
            (b'{"followUps": [NaN]}', "followUps[0]"),
            (b'{"followUps": [{"notes": 99999999999999999999999}]}', "followUps[0].notes"),
        ],
    )
    def test_what_is_no_message_is_refused(self, stage, body, field):
        answer = post(body)

        assert (answer.status_code, list(answer.json())) == (400, [field])
        assert not stage.exists()

    def test_a_message_has_at_most_1000_rows(self, stage):
        row = segment(variantName=None)

        assert post(body_of(*[row] * 1_000, feed=SEGMENTS), SEGMENTS).json()["rows"] == 1_000
        answer = post(body_of(*[row] * 1_001, feed=SEGMENTS), SEGMENTS)
        assert (answer.status_code, answer.json()["detail"]) == (
            413,
            "The message holds 1,001 rows; send at most 1,000.",
        )

    def test_a_message_has_at_most_1_mib(self, stage):
        answer = post(b" " * 1_048_577)

        assert (answer.status_code, answer.json()) == (413, {"detail": "The body is larger than 1048576 bytes."})

    @pytest.mark.parametrize("identifier", ["../../escape", "a.b", "a b", "x" * 129])
    def test_an_id_that_is_no_file_name_is_refused(self, stage, identifier):
        answer = post(body_of(follow_up()), identifier=identifier)

        assert (answer.status_code, list(answer.json())) == (400, ["webhook-id"])
        assert not stage.exists()


@pytest.mark.django_db
class TestSignatures:
    @pytest.mark.parametrize("secret", [OLD, NEW])
    def test_either_secret_lets_in(self, secret):
        assert post(body_of(follow_up()), secret=secret).status_code == 202

    def test_an_unsigned_message_is_refused(self, api, stage):
        answer = api.post(PATHS["guardrail_followups"], body_of(follow_up()), content_type="application/json")

        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "StandardWebhooks")
        assert not stage.exists()

    def test_without_a_secret_nobody_is_let_in(self, settings, stage):
        settings.ANALYTICS_WEBHOOK_SECRETS = []

        answer = post(body_of(follow_up()))

        assert answer.status_code == 401
        assert "ANALYTICS_WEBHOOK_SECRET is not set" in answer.json()["detail"]
        assert not stage.exists()

    @pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(minutes=-6)])
    def test_a_message_out_of_time_is_refused(self, age, stage):
        assert post(body_of(follow_up()), now=datetime.now(UTC) - age).status_code == 401
        assert not stage.exists()

    def test_a_tampered_message_is_refused(self, stage):
        body = body_of(follow_up())
        signature = signing.signed_headers(body, [NEW], datetime.now(UTC))["webhook-signature"]

        assert post(body.replace(b"pause", b"resume"), webhook_signature=signature).status_code == 401
        assert not stage.exists()

    def test_only_posts_are_answered(self, operator):
        assert operator.get(PATHS["guardrail_followups"]).status_code in {401, 405}


@pytest.mark.django_db
class TestOnce:
    def test_a_message_that_comes_twice_is_one_object(self, stage):
        body = body_of(follow_up())

        first = post(body)
        before = {name: (stage / name).read_bytes() for name in files(stage)}
        second = post(body, secret=OLD)

        assert (second.status_code, second.json()) == (first.status_code, first.json())
        assert {name: (stage / name).read_bytes() for name in files(stage)} == before
        assert len(before) == 2

    def test_a_repetition_writes_the_manifest_that_a_crash_left_out(self, stage):
        body = body_of(follow_up())
        key = post(body).json()["object"]
        manifest = stage / f"{key}.manifest.json"
        manifest.unlink()

        assert post(body).status_code == 202

        assert json.loads(manifest.read_text())["rows"] == 1

    def test_another_message_of_the_same_id_is_refused(self, stage):
        key = post(body_of(follow_up()), identifier="msg_mine").json()["object"]
        before = (stage / key).read_bytes()

        answer = post(body_of(follow_up()), identifier="msg_mine")

        assert (answer.status_code, answer.json()["detail"]) == (
            409,
            "Message msg_mine was sent before with other rows.",
        )
        assert (stage / key).read_bytes() == before

    def test_a_stage_that_is_away_is_a_503_without_its_address(self, settings, tmp_path, caplog):
        (tmp_path / "file").write_text("in the way")
        settings.INGEST_STAGE_URI = (tmp_path / "file").as_uri()

        answer = post(body_of(follow_up()))

        assert answer.status_code == 503
        assert "file:" not in answer.json()["detail"]

    def test_it_works_on_s3(self, s3, settings):
        settings.INGEST_STAGE_URI = "s3://lake/stage"
        body = body_of(follow_up())

        key = post(body).json()["object"]
        assert post(body).status_code == 202

        listed = [item["Key"] for item in s3.list_objects_v2(Bucket="lake")["Contents"]]
        assert listed == [f"stage/{key}", f"stage/{key}.manifest.json"]


@pytest.mark.django_db(transaction=True)
def test_of_messages_that_race_under_one_id_one_is_kept(stage):
    bodies = [body_of(follow_up()) for _ in range(4)]
    started, kept, refused = threading.Barrier(len(bodies)), [], []

    def accept(body: bytes) -> None:
        started.wait()
        try:
            kept.append(receive.accept(FOLLOW_UPS, "msg_shared", body))
        except receive.ConflictingContentError:
            refused.append(body)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=accept, args=[body]) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(kept), len(refused)) == (1, 3)
    assert len(files(stage)) == 2


def recorded(feed: Feed) -> list[Line]:
    """Rows of ``feed`` in the database, in wire shape."""
    for number in range(3):
        if feed is SEGMENTS:
            record_segment(TRICKY, f"v{number}", variant_name=None, is_control=True)
        else:
            record_follow_up(notes=TRICKY, platform_context_id="tiktok" if number else None)
    time, key = iso(datetime.now(UTC)), str(uuid.uuid4())
    rows = model_of(feed)._default_manager.order_by("position")
    return [Line(1, time, key, orjson.dumps(row)) for row in wire_rows(feed, rows)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("feed", [FOLLOW_UPS, SEGMENTS], ids=lambda feed: feed.key)
def test_the_whole_loop_gives_the_rows_of_the_warehouse(feed, live_server, stage):
    lines = recorded(feed)
    sink = WebhookSink(feed, live_server.url + PATHS[feed.key], "SETTING", [OLD, NEW])

    sink.write(lines)
    sink.write(lines)

    objects = [name for name in files(stage) if name.endswith(".ndjson")]
    expected = warehouse_rows(feed, model_of(feed)._default_manager.order_by("position"))
    assert len(objects) == 1
    assert rows_in(stage / objects[0]) == list(expected)
    assert b"".join(storage.read(f"{stage.as_uri()}/{objects[0]}")) == (stage / objects[0]).read_bytes()


@pytest.mark.django_db(transaction=True)
def test_a_sender_reads_in_the_error_what_the_shim_refused(live_server):
    sink = WebhookSink(FOLLOW_UPS, live_server.url + PATHS["guardrail_followups"], "SETTING", [NEW])
    row = orjson.dumps(follow_up(createdAt=None))

    with pytest.raises(SinkError, match=r'answered 400: \{"followUps\[0\]\.createdAt":\["Must not be null'):
        sink.write([Line(1, "", "", row)])
    sink.abort()
