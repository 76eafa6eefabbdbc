"""Export runs of the telemetry feeds, from claim to Slack."""

import hashlib
import json
import re
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from reporting.exports import claims, runs, window_job
from reporting.feeds import FEEDS
from reporting.feeds.checksums import id_sum_sql
from reporting.feeds.shapes import model_of, ndjson, wire_rows
from reporting.lake import storage
from reporting.lake.manifests import manifest_uri
from reporting.models import Checkpoint, ExportRun, SlackMessage
from smplat.settings import ExportTarget
from telemetry.models import QuickOrderEvent
from tests.database import capture, capture_quick_orders, export
from tests.factories import quick_order_event, workflow_event

QUICK_ORDER = FEEDS["quick_order"]


def content(uri: str) -> bytes:
    return b"".join(storage.read(uri))


def exported_ids(run: ExportRun) -> list[str]:
    return [json.loads(line)["id"] for line in content(run.object_uri).splitlines()]


def files(settings) -> list[str]:
    root = Path(urlsplit(settings.LAKE_URI).path)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.django_db(transaction=True)
class TestSuccess:
    def test_object_manifest_status_and_snapshot_agree(self, settings):
        capture_quick_orders(4)
        capture_quick_orders(1, name="quick_order.abort", reason="dismiss")
        capture_quick_orders(3, name="quick_order.complete", outcome="success")

        result = export()

        assert (result.state, result.rows, result.error) == ("succeeded", 8, "")
        data = content(result.object_uri)
        manifest = json.loads(content(manifest_uri(result.object_uri)))
        positions = QuickOrderEvent.objects.order_by("position").values_list("position", flat=True)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {id_sum_sql('event_id')} FROM telemetry_quickorderevent")  # noqa: S608
            id_sum = int(cursor.fetchone()[0])
        assert manifest == {
            "feed": "quick_order",
            "shape": "wire",
            "object": result.object_uri,
            "bytes": len(data),
            "rows": len(data.splitlines()),
            "sha256": hashlib.sha256(data).hexdigest(),
            "firstPosition": positions[0],
            "lastPosition": positions[7],
            "firstRecordedAt": "2026-11-08T08:04:48.397000Z",
            "lastRecordedAt": "2026-11-08T08:04:48.397000Z",
            "idSum": id_sum,
            "createdAt": manifest["createdAt"],
            "run": str(result.pk),
        }
        status = json.loads(content(settings.EXPORT_TARGETS["quick_order"].status_uri))
        assert status == result.status
        assert status["events"] == 8
        assert status["metrics"] == {"startCount": 4, "abortCount": 1, "completeCount": 3, "completionRate": 75}
        assert status["workflowUrl"] == f"{settings.PUBLIC_BASE_URL}/admin/reports/runs/{result.pk}"
        assert (settings.LOCAL_SNAPSHOT_DIR / "quick-order-events.ndjson").read_bytes() == data

    def test_the_status_of_the_workflow_feed_names_its_key_and_activity(self, settings):
        capture([workflow_event(), workflow_event(workflowAction="queue.pause")])

        result = export("guardrail_workflow")

        status = json.loads(content(settings.EXPORT_TARGETS["guardrail_workflow"].status_uri))
        assert list(status) == ["syncedAt", "events", "downloadUrl", "workflowUrl", "s3Key", "metrics"]
        assert status["s3Key"] == result.object_uri.removeprefix(f"{settings.LAKE_URI}/")
        assert list(status["metrics"]) == ["actionCounts", "attachmentTotals", "providerActivity"]
        assert status["metrics"]["attachmentTotals"]["upload"] == 1

    def test_the_download_url_serves_the_objects_bytes(self, client):
        capture_quick_orders(2)
        result = export()

        answer = client.get(urlsplit((result.status or {})["downloadUrl"]).path)

        assert answer.getvalue() == content(result.object_uri)

    def test_the_key_carries_day_time_and_run(self, settings):
        capture_quick_orders(1)

        result = export()

        name = result.object_uri.removeprefix(f"{settings.LAKE_URI}/quick-order/")
        day, _, file = name.rpartition("/")
        assert day.replace("/", "") == file[:8]
        assert file.endswith(f"Z-{result.pk}.ndjson")

    def test_it_moves_the_checkpoint_and_says_so(self):
        capture_quick_orders(3)

        first, second = export(), export()

        checkpoint = Checkpoint.objects.get(pk="quick_order")
        assert checkpoint.position == QuickOrderEvent.objects.order_by("-position")[0].position
        assert first.checkpoint_before is None
        assert second.checkpoint_before == first.checkpoint_after
        assert sorted(first.checkpoint_after or {}) == ["cursor", "position", "rows", "updatedAt"]

    @pytest.mark.parametrize("feed", ["quick_order", "guardrail_workflow"])
    def test_its_lines_are_the_wire_shape_in_the_order_of_arrival(self, feed):
        event = quick_order_event if feed == "quick_order" else workflow_event
        metadata = {"b ü🛒\u2028": [1.50, 1e-7, 12345678901234567890, None, {"c": []}], "a": '\\" \x7f', "n": -0.0}
        times = [f"2026-11-08T08:04:{59 - number:02}.5Z" for number in range(3)]
        capture([event(recordedAt=time, metadata=metadata, guardrail=None) for time in times])
        rows = model_of(FEEDS[feed]).objects.order_by("position")

        result = export(feed)

        assert content(result.object_uri) == b"".join(map(ndjson, wire_rows(FEEDS[feed], rows)))

    def test_to_s3(self, s3, settings):
        settings.EXPORT_TARGETS = {"quick_order": ExportTarget("s3://lake/shop", "s3://lake/status.json", "")}
        capture_quick_orders(2)

        result = export()

        assert result.object_uri.startswith("s3://lake/shop/quick-order/")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket="lake")["Contents"]]
        assert sorted(keys) == sorted(
            [
                result.object_uri.removeprefix("s3://lake/"),
                manifest_uri(result.object_uri).removeprefix("s3://lake/"),
                "status.json",
            ]
        )

    def test_twenty_thousand_events_between_two_runs_all_reach_the_lake(self, settings):
        capture_quick_orders(10)
        export()
        sent = [event_id for _ in range(20) for event_id in capture_quick_orders(1_000)]

        result = export()

        assert exported_ids(result)[-20_000:] == sent
        snapshot = (settings.LOCAL_SNAPSHOT_DIR / "quick-order-events.ndjson").read_bytes().splitlines()
        assert [json.loads(line)["id"] for line in snapshot] == sent[-5_000:]

    def test_a_burst_by_writers_that_overlap_the_runs_reaches_the_lake(self):
        capture_quick_orders(10)
        export()
        sent: list[str] = []
        go_on = threading.Event()

        def write() -> None:
            for _ in range(10):
                with transaction.atomic():
                    sent.extend(capture_quick_orders(500))
                    go_on.wait(0.02)
            connection.close()

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
        results = [export(), export()]
        for writer in writers:
            writer.join()
        results.append(export())

        assert len(sent) == 20_000
        assert {result.state for result in results} == {"succeeded"}
        assert set(sent) <= {event_id for result in results for event_id in exported_ids(result)}

    def test_an_event_that_commits_late_is_in_the_next_object(self):
        inserted, may_commit = threading.Event(), threading.Event()
        late: list[str] = []

        def write() -> None:
            with transaction.atomic():
                late.extend(capture_quick_orders(1))
                inserted.set()
                may_commit.wait(30)
            connection.close()

        writer = threading.Thread(target=write)
        writer.start()
        inserted.wait(30)
        capture_quick_orders(2)
        threading.Timer(0.3, may_commit.set).start()

        result = export()

        writer.join()
        assert late[0] in exported_ids(result)

    def test_values_that_json_escapes_survive(self):
        text = 'quote " backslash \\ newline \n tab \t emoji 🛒 line separator \u2028 delete \x7f'
        capture_quick_orders(1, productTitle=text, metadata={text: [text, 1.5, -(2**63), 2**63 - 1, True, None, {}]})

        line = json.loads(content(export().object_uri))

        assert line["productTitle"] == text
        assert line["metadata"] == {text: [text, 1.5, -(2**63), 2**63 - 1, True, None, {}]}


@pytest.mark.django_db(transaction=True)
class TestNoSuccess:
    def test_without_events_the_run_is_skipped_and_nothing_is_written(self, settings):
        result = export()

        assert (result.state, result.error) == ("skipped", "Skipped: there is nothing to export.")
        assert files(settings) == []

    def test_a_lake_that_cannot_be_written_fails_the_run_and_leaves_the_checkpoint(self, settings, tmp_path):
        capture_quick_orders(1)
        (tmp_path / "lake").write_text("a file is in the way")

        result = export()

        assert result.state == "failed"
        assert result.error.startswith("Cannot write file://")
        assert "checkpoint did not move" in result.error
        assert not Checkpoint.objects.exists()

    def test_the_run_after_a_failed_one_takes_up_everything(self, settings, tmp_path):
        ids = capture_quick_orders(3)
        (tmp_path / "lake").write_text("a file is in the way")
        export()
        (tmp_path / "lake").unlink()

        assert exported_ids(export()) == ids

    def test_a_defect_closes_the_run_and_shows_itself(self, monkeypatch):
        capture_quick_orders(1)
        monkeypatch.setattr(window_job, "status_json", lambda *args: 1 / 0)
        request = runs.request_run(QUICK_ORDER, ExportRun.Trigger.COMMAND)

        with pytest.raises(ZeroDivisionError):
            runs.perform(request)

        assert ExportRun.objects.get().state == "failed"

    def test_a_second_run_at_the_same_time_is_recorded_as_skipped(self, monkeypatch):
        capture_quick_orders(1)
        during: list[ExportRun] = []

        def run_another(*args):
            def other() -> None:
                during.append(export())
                connection.close()

            thread = threading.Thread(target=other)
            thread.start()
            thread.join()

        monkeypatch.setattr(window_job, "_replace_snapshot", run_another)

        result = export()

        assert result.state == "succeeded"
        assert (during[0].state, during[0].error) == (
            "skipped",
            "Skipped: another run of quick_order is in progress.",
        )

    def test_a_run_that_was_closed_meanwhile_cannot_move_the_checkpoint(self, monkeypatch):
        capture_quick_orders(1)
        monkeypatch.setattr(
            window_job, "_replace_snapshot", lambda *args: ExportRun.objects.update(state="failed", error="closed")
        )

        assert export().error == "closed"
        assert not Checkpoint.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestSlack:
    @pytest.fixture(autouse=True)
    def _webhook(self, settings):
        settings.QUICK_ORDER_EXPORT_SLACK_WEBHOOK = "http://127.0.0.1:9/services/secret"

    def texts(self) -> list[str]:
        return list(SlackMessage.objects.order_by("id").values_list("text", flat=True))

    def test_it_hears_of_success_and_of_skipped_runs(self):
        export()
        capture_quick_orders(2)
        result = export()

        assert "skipped. There is nothing to export." in self.texts()[0]
        assert "succeeded. 2 rows exported." in self.texts()[1]
        assert result.get_absolute_url() in self.texts()[1]

    @pytest.mark.habit(
        "The telemetry workflows' Slack messages carry `Artifact: s3://…`.",
        "A message of a run names its object as `Artifact:` with the URI, `s3://…` or `file://…`.",
    )
    @pytest.mark.usefixtures("s3")
    def test_its_message_names_the_object_by_its_uri(self, settings):
        settings.EXPORT_TARGETS = {
            **settings.EXPORT_TARGETS,
            "quick_order": ExportTarget("s3://lake/telemetry", "s3://lake/status.json", ""),
        }
        capture_quick_orders(1)

        export()

        key = r"s3://lake/telemetry/quick-order/\d{4}/\d\d/\d\d/\d{8}T\d{6}\.\d{6}Z-[0-9a-f-]{36}\.ndjson"
        assert re.search(rf"^Artifact: {key}$", self.texts()[0], re.MULTILINE)

    def test_it_hears_of_changes_alone_where_that_is_asked_for(self, settings):
        settings.SLACK_VERBOSITY = "CHANGES"
        for _ in range(3):
            capture_quick_orders(1)
            export()

        assert len(self.texts()) == 1

    def test_it_hears_of_a_run_whose_process_died(self):
        dead = runs.request_run(QUICK_ORDER, ExportRun.Trigger.SCHEDULE)
        ExportRun.objects.filter(pk=dead.pk).update(state="running")

        claims.close_crashed_runs()

        assert "failed. The process of this run" in self.texts()[0]

    def test_without_a_webhook_nothing_is_queued(self, settings):
        settings.QUICK_ORDER_EXPORT_SLACK_WEBHOOK = ""

        export()

        assert self.texts() == []


@pytest.mark.django_db(transaction=True)
class TestCommand:
    def test_it_says_on_stderr_how_the_run_ended(self, capsys):
        capture_quick_orders(2)

        call_command("run_export", "quick_order")

        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith("quick_order: succeeded. 2 rows")

    def test_a_failed_run_is_exit_code_1(self, tmp_path):
        capture_quick_orders(1)
        (tmp_path / "lake").write_text("a file is in the way")

        with pytest.raises(CommandError) as error:
            call_command("run_export", "quick_order")
        assert error.value.returncode == 1
