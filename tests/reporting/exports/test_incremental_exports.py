"""The hourly jobs: webhook, lake, checkpoint and its copy."""

import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection, transaction

from reporting.feeds import FEEDS
from reporting.feeds.shapes import warehouse_rows
from reporting.lake import storage
from reporting.lake.manifests import manifest_uri
from reporting.models import Checkpoint, CheckpointMove, ExportRun, PricingExperimentSegment, SlackMessage
from smplat.lib.times import iso
from tests import ROOT
from tests.database import add_segments, database_url, export, record_segments
from tests.fakes import Reply, fake_server

FEED = FEEDS["onboarding_segments"]


def object_ids(run: ExportRun) -> list[str]:
    return [json.loads(line)["event_id"] for line in b"".join(storage.read(run.object_uri)).splitlines()]


@pytest.fixture
def webhook(settings):
    """A receiver that answers as it is told and remembers the rows of the bodies that it took."""
    with fake_server() as server:
        settings.ANALYTICS_SEGMENTS_WEBHOOK = f"{server.url}/secret-path"
        yield server


def received(server) -> list[str]:
    return [row["eventId"] for heard in server.heard for row in json.loads(heard.body)["events"]]


@pytest.mark.django_db(transaction=True)
class TestSuccess:
    def test_rows_reach_the_webhook_and_the_lake_and_the_checkpoint_follows(self, webhook, settings):
        ids = record_segments(3)

        result = export(FEED.key)

        assert (result.state, result.rows, result.error) == ("succeeded", 3, "")
        assert received(webhook) == object_ids(result) == ids
        manifest = json.loads(b"".join(storage.read(manifest_uri(result.object_uri))))
        assert (manifest["rows"], manifest["bytes"], manifest["shape"]) == (3, result.bytes, "warehouse")
        newest = PricingExperimentSegment.objects.order_by("-position")[0]
        checkpoint = Checkpoint.objects.get(pk=FEED.key)
        assert (checkpoint.position, checkpoint.cursor) == (newest.position, newest.recorded_at)
        copy = json.loads(b"".join(storage.read(settings.CHECKPOINT_URIS[FEED.key])))
        assert copy["position"] == newest.position
        assert copy["workflowUrl"] == result.absolute_url
        assert copy["downloadUrl"].startswith(settings.PUBLIC_BASE_URL)

    @pytest.mark.habit(
        "GUARDRAIL_EXPORT_WORKFLOW_URL names the page that shows the export",
        "Reads it, and ONBOARDING_EXPORT_WORKFLOW_URL, and writes it as workflowUrl",
    )
    def test_the_status_links_to_the_workflow_of_the_settings(self, webhook, settings):
        settings.WORKFLOW_URLS = {FEED.key: "https://ci.example/workflows/7"}
        record_segments(1)

        export(FEED.key)

        copy = json.loads(b"".join(storage.read(settings.CHECKPOINT_URIS[FEED.key])))
        assert copy["workflowUrl"] == "https://ci.example/workflows/7"

    def test_the_next_run_takes_only_what_is_new(self, webhook):
        record_segments(2)
        export(FEED.key)
        new = record_segments(2)

        assert object_ids(export(FEED.key)) == new

    def test_nothing_new_is_skipped_and_uploads_nothing(self, webhook):
        record_segments(1)
        export(FEED.key)
        before = len(webhook.heard)

        result = export(FEED.key)

        assert (result.state, result.object_uri) == ("skipped", "")
        assert len(webhook.heard) == before

    def test_without_a_webhook_the_rows_reach_the_lake(self):
        ids = record_segments(2)

        assert object_ids(export(FEED.key)) == ids

    def test_many_rows_go_in_batches_of_a_thousand(self, webhook):
        add_segments(2_500)

        result = export(FEED.key)

        assert [len(json.loads(heard.body)["events"]) for heard in webhook.heard] == [1_000, 1_000, 500]
        assert sorted(object_ids(result)) == sorted(received(webhook))

    def test_the_move_of_the_checkpoint_is_kept_with_its_run(self):
        record_segments(1)

        result = export(FEED.key)

        move = CheckpointMove.objects.get()
        assert (move.run_id, move.from_position, move.to_position) == (
            result.pk,
            None,
            Checkpoint.objects.get().position,
        )

    def test_a_restored_database_takes_over_the_copy(self, settings):
        record_segments(2)
        export(FEED.key)
        Checkpoint.objects.all().delete()
        new = record_segments(1)

        assert object_ids(export(FEED.key)) == new

    def test_a_copy_that_differs_is_written_anew_even_when_nothing_is_new(self, settings):
        record_segments(1)
        export(FEED.key)
        uri = settings.CHECKPOINT_URIS[FEED.key]
        storage.write(uri, b'"2026-01-01T00:00:00Z"')

        result = export(FEED.key)

        assert result.state == "skipped"
        assert json.loads(b"".join(storage.read(uri)))["position"] == Checkpoint.objects.get().position


@pytest.mark.django_db(transaction=True)
class TestFailure:
    def test_a_webhook_that_refuses_leaves_everything_for_the_next_run(self, webhook):
        ids = record_segments(2)
        webhook.usual = Reply(400)

        failed = export(FEED.key)

        assert failed.state == "failed"
        assert "ANALYTICS_SEGMENTS_WEBHOOK" in failed.error
        assert "secret-path" not in failed.error
        assert not Checkpoint.objects.exists()
        webhook.usual = Reply(200)
        assert object_ids(export(FEED.key)) == ids

    def test_what_was_confirmed_before_the_failure_is_kept(self, webhook):
        add_segments(2_500)
        webhook.replies.extend([Reply(200), Reply(400)])

        failed = export(FEED.key)

        assert failed.state == "failed"
        assert "1,000 rows delivered before and kept" in failed.error
        assert Checkpoint.objects.get().rows == 1_000
        following = export(FEED.key)
        assert (following.state, following.rows) == ("succeeded", 1_500)

    def test_a_copy_that_cannot_be_written_does_not_fail_the_run(self, settings, tmp_path):
        (tmp_path / "file").write_text("in the way")
        record_segments(1)
        export(FEED.key)
        record_segments(1)
        settings.CHECKPOINT_URIS = {FEED.key: (tmp_path / "file" / "copy.json").as_uri()}

        result = export(FEED.key)

        assert result.state == "succeeded"
        assert any("The checkpoint's copy is behind" in line.message for line in result.log_lines.all())

    @pytest.mark.habit(
        "The hourly workflows post rows, next cursor and a link to the run after each run.",
        "Slack gets the same of each run of the hourly jobs, unless `SLACK_VERBOSITY=changes`.",
    )
    def test_slack_hears_of_each_run_with_rows_next_cursor_and_link(self, settings):
        settings.ONBOARDING_EXPORT_SLACK_WEBHOOK = "http://127.0.0.1:9/"
        record_segments(1)
        first = export(FEED.key)
        second = export(FEED.key)

        cursor = f"Next cursor: {iso(PricingExperimentSegment.objects.get().recorded_at)}"
        assert [message.text.split("\n") for message in SlackMessage.objects.order_by("id")] == [
            [
                f"*{FEED.label}*: succeeded. 1 row exported. (<{first.absolute_url}|run>)",
                cursor,
                f"Artifact: {first.object_uri}",
            ],
            [f"*{FEED.label}*: skipped. There is nothing to export. (<{second.absolute_url}|run>)", cursor],
        ]

    def test_slack_hears_of_changes_alone_where_that_is_asked_for(self, settings, webhook):
        settings.ONBOARDING_EXPORT_SLACK_WEBHOOK = "http://127.0.0.1:9/"
        settings.SLACK_VERBOSITY = "CHANGES"
        for status in (200, 200, 400, 400, 200, 200):
            record_segments(1)
            webhook.usual = Reply(status)
            export(FEED.key)

        texts = list(SlackMessage.objects.order_by("id").values_list("text", flat=True))
        assert [text.partition(": ")[2].partition(".")[0] for text in texts] == ["succeeded", "failed", "succeeded"]


@pytest.mark.django_db(transaction=True)
class TestRacingWriters:
    def test_every_committed_row_is_delivered_once_however_transactions_interleave(self):
        """Writers hold transactions open for 10 to 600 ms, some roll back, and the exporter polls meanwhile."""
        deadline = time.monotonic() + 6
        committed: list[str] = []

        def write(seed: int) -> None:
            pause = 0.01 + 0.59 * seed / 7
            turn = 0
            while time.monotonic() < deadline:
                with transaction.atomic():
                    ids = record_segments(2)
                    threading.Event().wait(pause)
                    is_rolled_back = (turn := turn + 1) % 5 == 0
                    transaction.set_rollback(is_rolled_back)
                if not is_rolled_back:
                    committed.extend(ids)
            connection.close()

        writers = [threading.Thread(target=write, args=(seed,)) for seed in range(8)]
        for writer in writers:
            writer.start()
        delivered: list[str] = []
        while any(writer.is_alive() for writer in writers):
            result = export(FEED.key)
            assert result.state in {"succeeded", "skipped"}, result.error
            delivered += object_ids(result) if result.object_uri else []
            threading.Event().wait(0.05)
        result = export(FEED.key)
        delivered += object_ids(result) if result.object_uri else []

        assert sorted(delivered) == sorted(committed)


@pytest.mark.django_db(transaction=True)
class TestTheWholeLoop:
    """Job, signed webhook, our own ingestion shim, and an object on the warehouse stage."""

    def test_a_row_comes_out_in_warehouse_shape_once(self, live_server, settings, tmp_path):
        secret = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes....").decode()
        settings.ANALYTICS_WEBHOOK_SECRETS = [secret]
        settings.ANALYTICS_SEGMENTS_WEBHOOK = f"{live_server.url}/api/v1/ingest/onboarding-segments"
        record_segments(3)

        first = export(FEED.key)
        Checkpoint.objects.all().delete()
        storage.write(settings.CHECKPOINT_URIS[FEED.key], b'"1970-01-01T00:00:00Z"')
        second = export(FEED.key)

        assert (first.state, second.state) == ("succeeded", "succeeded")
        staged = list((tmp_path / "lake" / "stage").rglob("*.ndjson"))
        assert len(staged) == 1
        rows = [json.loads(line) for line in staged[0].read_bytes().splitlines()]
        table = PricingExperimentSegment.objects.order_by("recorded_at", "event_id")
        assert rows == list(warehouse_rows(FEED, table))
        assert staged[0].parent.name == f"dt={table[0].recorded_at:%Y-%m-%d}"


#: A worker of its own process that dies by SIGKILL when it comes to the n-th step of its run.
_WORKER = """
import os, signal, sys
import django
django.setup()
from django.conf import settings
from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.models import ExportRun

settings.LAKE_URI, webhook, deadly_step = sys.argv[1], sys.argv[2], int(sys.argv[3])
settings.CHECKPOINT_URIS = {"onboarding_segments": settings.LAKE_URI + "/copy.json"}
settings.ANALYTICS_SEGMENTS_WEBHOOK = webhook
steps = 0

def deadly(function):
    def stepped(*args, **options):
        global steps
        for _ in range(2):
            steps += 1
            if steps == deadly_step:
                os.kill(os.getpid(), signal.SIGKILL)
            if _ == 0:
                result = function(*args, **options)
        return result
    return stepped

from reporting.exports import incremental_job, claims
from reporting.lake import storage
from reporting.exports.sinks.webhook import WebhookSink
WebhookSink.write = deadly(WebhookSink.write)
storage.write = deadly(storage.write)
incremental_job.move = deadly(incremental_job.move)
close, deadly_close = ExportRun.close, deadly(ExportRun.close)
# The run of the process that died before is closed too, which is no step of this one.
ExportRun.close = lambda run, state, error: (deadly_close if state == "succeeded" else close)(run, state, error)
claims._start = deadly(claims._start)
run = runs.request_run(FEEDS["onboarding_segments"], ExportRun.Trigger.SCHEDULE)
runs.perform(run)
sys.exit(0 if steps < deadly_step else 1)
"""


@pytest.mark.django_db(transaction=True)
class TestAKilledWorker:
    """A run has these steps, and dies before and after each: claim, webhook, object, manifest, move, close, copy."""

    def attempt(self, tmp_path: Path, url: str, deadly_step: int) -> int:
        command = [sys.executable, "-W", "ignore", "-c", _WORKER, (tmp_path / "lake").as_uri(), url, str(deadly_step)]
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "smplat.settings",
            "DATABASE_URL": database_url(),
        }
        return subprocess.run(command, env=environment, cwd=ROOT, timeout=120, check=False).returncode

    def test_whatever_step_it_dies_at_the_next_run_completes_the_delivery(self, tmp_path):
        deadly_step = 1
        endings: list[int] = []
        objects: set[tuple[Path, bytes]] = set()
        with fake_server() as server:
            url = f"{server.url}/"
            committed: list[str] = []
            while not endings or endings[-1] != 0:
                committed += record_segments(2)
                endings.append(self.attempt(tmp_path, url, deadly_step))
                deadly_step += 1
                now = {path: path.read_bytes() for path in (tmp_path / "lake").rglob("*.ndjson")}
                assert objects <= set(now.items())
                objects = set(now.items())
            bodies = [json.loads(heard.body)["events"] for heard in server.heard]

        assert endings[:-1] == [-signal.SIGKILL] * 14
        rows = [row for body in bodies for row in body]
        assert {row["eventId"] for row in rows} == set(committed)
        assert len({json.dumps(row) for row in rows}) == len(committed)
        listed = [path for path, _ in objects if Path(f"{path}.manifest.json").exists()]
        in_the_lake = {json.loads(line)["event_id"] for path in listed for line in path.read_text().splitlines()}
        assert in_the_lake == set(committed)
