"""The import of the replaced system's tables."""

import csv
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from reporting.accounting import ledger
from reporting.feeds import FEEDS
from reporting.insights import conversion_totals
from reporting.models import (
    ConversionTotal,
    GuardrailFollowUp,
    OnboardingJourney,
    OnboardingJourneyEvent,
    PricingExperimentSegment,
    ProviderGuardrailStatus,
    SlackMessage,
)
from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent
from tests.database import create_follow_up, export, record_follow_up
from tests.factories import quick_order_event, workflow_event

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def segment(**changes: Any) -> dict[str, Any]:
    """A segment as the replaced system's export gave it."""
    return {
        "eventId": str(uuid.uuid4()),
        "journeyId": str(uuid.uuid4()),
        "orderId": str(uuid.uuid4()),
        "orderNumber": "SM40001",
        "slug": "spring-offer",
        "variantKey": "bundle",
        "variantName": "Bundle",
        "isControl": False,
        "status": "running",
        "featureFlagKey": None,
        "assignmentStrategy": "sequential",
        "recordedAt": START.isoformat(),
        **changes,
    }


def old_follow_up(**changes: Any) -> dict[str, Any]:
    """A follow-up as the replaced system's export gave it."""
    return {
        "followUpId": str(uuid.uuid4()),
        "providerId": "provider-viralhub",
        "providerName": "ViralHub",
        "action": "pause",
        "notes": "Failure rate up",
        "platformContext": {"id": "tiktok", "label": "TikTok", "handle": "@hub", "platformType": "TT"},
        "conversionCursor": None,
        "conversionHref": "/admin/reports?conversionCursor=a",
        "createdAt": START.isoformat(),
        **changes,
    }


def ndjson(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def csv_file(path: Path, *rows: dict[str, Any]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def import_files(**files: Path) -> None:
    call_command("import_replaced", **files)


class TestSegments:
    @pytest.mark.habit(
        "Assignments lie in onboarding_journey_events and in the exported NDJSON",
        "import_replaced takes them over, with their ids and times, as often as it is run",
    )
    def test_they_keep_ids_and_times_and_are_stored_once(self, tmp_path):
        first, second = segment(), segment(slug="autumn-offer")
        file = ndjson(tmp_path / "segments.ndjson", first, second)

        for _ in range(2):
            import_files(segments=file)

        stored = PricingExperimentSegment.objects.order_by("position")
        assert [str(row.event_id) for row in stored] == [first["eventId"], second["eventId"]]
        assert {row.recorded_at for row in stored} == {START}
        assert (stored[0].slug, stored[0].order_number, stored[0].is_control) == ("spring-offer", "SM40001", False)

    def test_their_journeys_and_journey_events_are_made(self, tmp_path):
        row = segment()

        import_files(segments=ndjson(tmp_path / "segments.ndjson", row))

        journey = OnboardingJourney.objects.get(order_id=row["orderId"])
        event = OnboardingJourneyEvent.objects.get(pk=row["eventId"])
        assert (str(journey.pk), journey.order_number, journey.created_at) == (row["journeyId"], "SM40001", START)
        assert (event.journey, event.occurred_at) == (journey, START)
        assert event.metadata["variantKey"] == "bundle"

    def test_an_order_that_has_a_journey_keeps_it_and_gets_its_number(self, tmp_path):
        row = segment()
        journey = OnboardingJourney.objects.create(order_id=row["orderId"])

        import_files(segments=ndjson(tmp_path / "segments.ndjson", row))

        journey.refresh_from_db()
        assert journey.order_number == "SM40001"
        assert OnboardingJourneyEvent.objects.get().journey == journey
        assert str(PricingExperimentSegment.objects.get().journey_id) == row["journeyId"]

    @pytest.mark.habit(
        "All experiments of one checkout are exported under the id of one event",
        "The first keeps the id, and each other one gets an id that follows from it",
    )
    def test_experiments_that_share_an_event_are_kept_one_and_all(self, tmp_path):
        row = segment()
        rows = [row, {**row, "slug": "autumn-offer"}, {**row, "variantKey": "control"}]

        for order in (rows, rows[::-1]):
            import_files(segments=ndjson(tmp_path / "segments.ndjson", *order))

        stored = PricingExperimentSegment.objects.order_by("position")
        assert [(found.slug, found.variant_key) for found in stored] == [
            ("spring-offer", "bundle"),
            ("autumn-offer", "bundle"),
            ("spring-offer", "control"),
        ]
        assert str(stored[0].event_id) == row["eventId"]

    def test_rows_of_the_old_table_are_read_with_all_of_their_experiments(self, tmp_path):
        experiments = [
            {"slug": "spring-offer", "variantKey": "bundle", "isControl": False, "status": "running"},
            {"slug": "autumn-offer", "variant_key": "control", "is_control": True, "status": "paused"},
        ]
        row = {
            "id": str(uuid.uuid4()),
            "journey_id": str(uuid.uuid4()),
            "order_id": str(uuid.uuid4()),
            "event_type": "pricing_experiment_segment",
            "metadata": json.dumps({"experiments": experiments}),
            "occurred_at": "2026-03-01 12:00:00.123456+00",
        }
        other = {**row, "id": str(uuid.uuid4()), "event_type": "referral_copied", "metadata": '{"referral_code": "a"}'}

        import_files(segments=csv_file(tmp_path / "events.csv", row, other))

        stored = PricingExperimentSegment.objects.order_by("position")
        assert [(found.slug, found.is_control) for found in stored] == [("spring-offer", False), ("autumn-offer", True)]
        assert (str(stored[0].event_id), stored[0].recorded_at) == (row["id"], START)

    def test_what_may_be_null_may_be_missing(self, tmp_path):
        nullable = [column for column in FEEDS["onboarding_segments"].columns if column.nullable]
        row = segment()
        for column in nullable:
            del row[column.wire[0]]

        import_files(segments=ndjson(tmp_path / "segments.ndjson", row))

        stored = PricingExperimentSegment.objects.get()
        assert [getattr(stored, column.name) for column in nullable] == [None] * len(nullable)

    def test_conversions_count_them(self, tmp_path):
        import_files(segments=ndjson(tmp_path / "segments.ndjson", segment(), segment()))

        conversion_totals.fold()

        assert ConversionTotal.objects.get(variant_key=None).order_count == 2


class TestFollowUps:
    @pytest.mark.habit(
        "Follow-ups lie in provider_guardrail_followup, with the platform as JSON and links without a host",
        "import_replaced takes them over, and makes the links whole",
    )
    def test_rows_of_the_old_table_are_read(self, tmp_path, settings):
        row = {
            "id": str(uuid.uuid4()),
            "provider_id": "provider-viralhub",
            "provider_name": "",
            "action": "escalate",
            "notes": "Zwei\nZeilen",
            "platform_context": '{"id": "tiktok", "label": "TikTok"}',
            "conversion_cursor": "",
            "conversion_href": "/admin/reports?conversionCursor=a",
            "created_at": "2026-03-01 13:00:00.123456+01",
        }

        import_files(followups=csv_file(tmp_path / "followups.csv", row))

        stored = GuardrailFollowUp.objects.get()
        assert (str(stored.pk), stored.created_at, stored.provider_name) == (row["id"], START, None)
        assert (stored.notes, stored.platform_context_label) == ("Zwei\nZeilen", "TikTok")
        assert stored.conversion_href == f"{settings.PUBLIC_BASE_URL}/admin/reports?conversionCursor=a"

    def test_the_provider_is_as_the_newest_of_them_left_it_whatever_their_order(self, tmp_path):
        later = START + timedelta(hours=1)
        escalated = old_follow_up(action="escalate", createdAt=later.isoformat())

        import_files(followups=ndjson(tmp_path / "followups.ndjson", escalated, old_follow_up(action="pause")))

        status = ProviderGuardrailStatus.objects.get()
        assert (status.is_paused, status.last_action, status.updated_at) == (True, "escalate", later)
        assert str(status.last_follow_up_id) == escalated["followUpId"]

    def test_a_newer_state_of_a_provider_stays(self, tmp_path):
        record_follow_up(action="resume")

        import_files(followups=ndjson(tmp_path / "followups.ndjson", old_follow_up(action="pause")))

        assert ProviderGuardrailStatus.objects.get().last_action == "resume"

    def test_nothing_is_sent_to_slack(self, tmp_path, settings):
        settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = "http://127.0.0.1:1/"

        import_files(followups=ndjson(tmp_path / "followups.ndjson", old_follow_up()))

        assert not SlackMessage.objects.exists()

    def test_one_that_is_known_is_left_as_it_is(self, tmp_path):
        known = create_follow_up(notes="as it is")

        import_files(followups=ndjson(tmp_path / "followups.ndjson", old_follow_up(followUpId=str(known.pk))))

        assert GuardrailFollowUp.objects.get().notes == "as it is"


class TestTelemetry:
    @pytest.mark.habit(
        "Events lie in .telemetry/quick-order-events.ndjson and guardrail-workflow-events.ndjson",
        "import_replaced takes them over; an id that is no UUID is mapped as at capture",
    )
    def test_events_of_both_kinds_are_stored_once(self, tmp_path):
        quick, workflow = quick_order_event(id="evt_1731052800000_a1b2c3"), workflow_event()
        file = ndjson(tmp_path / "events.ndjson", quick, workflow, {"name": "guardrail.alert", "id": "a"})

        for _ in range(2):
            import_files(telemetry=file)

        assert QuickOrderEvent.objects.get().event["id"] == "evt_1731052800000_a1b2c3"
        assert str(GuardrailWorkflowEvent.objects.get().event_id) == workflow["id"]

    def test_rows_by_the_columns_of_the_warehouse_are_read(self, tmp_path):
        quick = {
            "event_id": str(uuid.uuid4()),
            "session_id": "qos_1",
            "event_name": "quick_order.abort",
            "product_id": "",
            "product_title": "Starter",
            "platform_context": "tiktok",
            "recorded_at": "2026-03-01 12:00:00.123456+00",
            "metadata": '{"reason": "price"}',
        }
        workflow = {
            "event_id": str(uuid.uuid4()),
            "provider_id": "provider-viralhub",
            "provider_name": None,
            "workflow_action": "queue.pause",
            "recorded_at": START.isoformat(),
            "source": "admin",
            "guardrail_platform_slug": "tiktok",
            "guardrail_status": "breached",
            "metadata": {"note": 1},
        }

        import_files(telemetry=csv_file(tmp_path / "quick.csv", quick))
        import_files(telemetry=ndjson(tmp_path / "workflow.ndjson", workflow))

        stored, action = QuickOrderEvent.objects.get(), GuardrailWorkflowEvent.objects.get()
        assert (str(stored.event_id), stored.event_name, stored.recorded_at) == (
            quick["event_id"],
            quick["event_name"],
            START,
        )
        assert (stored.platform_context, stored.product_id, stored.event["reason"]) == ("tiktok", None, "price")
        assert (action.workflow_action, action.guardrail_status, action.metadata) == (
            "queue.pause",
            "breached",
            {"note": 1},
        )


class TestTheLedger:
    def test_it_counts_what_was_imported_and_its_equations_hold(self, tmp_path):
        bad = segment(variantKey=None)
        files = {
            "segments": ndjson(tmp_path / "segments.ndjson", segment(), segment()),
            "followups": ndjson(tmp_path / "followups.ndjson", old_follow_up()),
            "telemetry": ndjson(tmp_path / "events.ndjson", quick_order_event(), workflow_event()),
        }
        record_follow_up()
        import_files(**files)
        import_files(**files)
        with pytest.raises(CommandError):
            import_files(segments=ndjson(tmp_path / "bad.ndjson", bad))

        entries = ledger.read()

        assert {key: entry.imported for key, entry in entries.items()} == {
            "quick_order": 1,
            "guardrail_workflow": 1,
            "onboarding_segments": 2,
            "guardrail_followups": 1,
            "": 0,
        }
        line = entries["onboarding_segments"]
        assert (line.received, line.accepted, line.duplicates, line.rejected) == (5, 2, 2, 1)
        assert all(entry.intake_remainder == entry.rows_remainder == 0 for entry in entries.values())


@pytest.mark.django_db(transaction=True)
class TestTheNextExport:
    def test_it_takes_them(self, tmp_path):
        import_files(segments=ndjson(tmp_path / "segments.ndjson", segment()))

        assert export("onboarding_segments").rows == 1

    @pytest.mark.habit(
        "The cursor of an export lies in S3, as a time",
        "The first run takes it over, and leaves out the imported rows before it",
    )
    def test_an_old_checkpoint_leaves_out_what_the_replaced_system_has_exported(self, tmp_path, settings):
        later = (START + timedelta(hours=1)).isoformat()
        import_files(segments=ndjson(tmp_path / "segments.ndjson", segment(), segment(recordedAt=later)))
        uri = settings.CHECKPOINT_URIS["onboarding_segments"].removeprefix("file://")
        Path(uri).parent.mkdir(parents=True)
        Path(uri).write_text(json.dumps({"cursor": later, "rows": 1, "updatedAt": later}))

        assert export("onboarding_segments").rows == 1


class TestBadRows:
    def test_they_are_named_by_line_and_field_and_the_others_are_in(self, tmp_path, capsys):
        good = segment()
        file = ndjson(tmp_path / "segments.ndjson", segment(variantKey=None), good, segment(recordedAt="yesterday"), 7)
        with file.open("a") as rows:
            rows.write("{broken\n")

        with pytest.raises(CommandError, match="Refused: 4 rows. The others are imported.") as error:
            import_files(segments=file)

        said = capsys.readouterr().err
        assert error.value.returncode == 1
        assert f"{file} line 1: variantKey: Must not be null or missing." in said
        assert f"{file} line 3: recordedAt: Must be a time" in said
        assert f"{file} line 4: row: Must be an object." in said
        assert f"{file} line 5: event: " in said
        assert str(PricingExperimentSegment.objects.get().event_id) == good["eventId"]

    @pytest.mark.parametrize(
        ("field", "changes"),
        [
            ("action", {"action": "shrug"}),
            ("conversionHref", {"conversionHref": "javascript:alert(1)"}),
            ("createdAt", {"createdAt": "2026-03-01T12:00:00"}),
            ("notes", {"notes": "a\x00b"}),
        ],
    )
    def test_a_follow_up_that_no_request_could_record_is_refused(self, tmp_path, capsys, field, changes):
        with pytest.raises(CommandError):
            import_files(followups=ndjson(tmp_path / "followups.ndjson", old_follow_up(**changes)))

        assert f" line 1: {field}: " in capsys.readouterr().err
        assert not GuardrailFollowUp.objects.exists()

    @pytest.mark.parametrize("name", ["id", "recordedAt"])
    def test_an_event_without_id_or_time_is_refused_since_each_import_would_add_it(self, tmp_path, capsys, name):
        with pytest.raises(CommandError):
            import_files(telemetry=ndjson(tmp_path / "events.ndjson", quick_order_event(**{name: None})))

        assert f" line 1: {name}: " in capsys.readouterr().err
        assert not QuickOrderEvent.objects.exists()

    def test_a_csv_row_with_too_many_cells_is_named_by_its_line(self, tmp_path, capsys):
        file = tmp_path / "followups.csv"
        file.write_text("id,provider_id\na,b,c\n")

        with pytest.raises(CommandError):
            import_files(followups=file)

        assert "line 2: event: more cells than the header has" in capsys.readouterr().err


class TestTheCommand:
    def test_it_wants_a_file(self):
        with pytest.raises(CommandError, match="at least one of --segments") as error:
            call_command("import_replaced")

        assert error.value.returncode == 2

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(CommandError, match=r"nowhere\.csv"):
            import_files(segments=tmp_path / "nowhere.csv")

    def test_it_says_what_became_of_the_rows(self, tmp_path, capsys):
        events = [quick_order_event() for _ in range(1_001)]

        import_files(telemetry=ndjson(tmp_path / "events.ndjson", *events, events[0], {"name": "other", "id": "a"}))

        assert capsys.readouterr().err == "telemetry: 1,001 imported, 1 known, 0 refused, 1 of other kinds\n"
