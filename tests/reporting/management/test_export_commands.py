"""The export commands, as cron jobs and people use them."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from reporting.checkpoints.stores import FileStore
from reporting.exports import claims, runs
from reporting.feeds import FEEDS
from reporting.models import Checkpoint, ExportRun, PricingExperimentSegment
from reporting.recording import segments
from smplat.lib.times import iso
from tests import ROOT
from tests.database import add_segments, create_follow_up, database_url, record_segments
from tests.environment import API_KEY
from tests.factories import experiment
from tests.fakes import Reply, closed_port_url, fake_server

SEGMENTS, FOLLOWUPS = "export_onboarding_pricing_segments", "export_guardrail_followups"
VIA_API = "export_onboarding_pricing_segments_via_api"
NASTY = 'quote " backslash \\ newline \n tab \t emoji 🛒 delete \x7f bell \x07'


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def ids(path: Path) -> list[str]:
    return [row["eventId"] for row in lines(path)]


def full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def manage(*arguments: str, **options) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own, on the test's database."""
    environment = {**os.environ, "DATABASE_URL": database_url()}
    command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, timeout=60, check=False, **options)


@pytest.mark.django_db(transaction=True)
class TestStdout:
    def test_an_empty_table_prints_nothing_and_succeeds(self):
        result = manage(FOLLOWUPS, "--sink", "stdout", capture_output=True)

        assert (result.returncode, result.stdout) == (0, b"")
        assert b"0 rows" in result.stderr

    def test_data_alone_goes_to_stdout(self):
        event_ids = record_segments(3)

        result = manage(SEGMENTS, capture_output=True)

        assert [json.loads(line)["eventId"] for line in result.stdout.splitlines()] == event_ids

    def test_it_ends_quietly_when_nobody_reads_on(self):
        add_segments(50_000)
        environment = {**os.environ, "DATABASE_URL": database_url()}
        command = f"set -o pipefail; {sys.executable} -W ignore manage.py {SEGMENTS} | head -1"

        result = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, timeout=60, check=False
        )

        assert (result.returncode, len(result.stdout.splitlines()), result.stderr) == (0, 1, b"")

    def test_wrong_usage_is_exit_code_2(self):
        for flags in (["--limit", "0"], ["--cursor", "yesterday"], ["--append"], ["--sink", "webhook"]):
            assert manage(SEGMENTS, *flags, capture_output=True).returncode == 2, flags

    @pytest.fixture
    def _interruptible(self):
        """Processes take Ctrl-C, also where the suite was started by nohup or in the background, which ignore it."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, before)

    @pytest.mark.usefixtures("_interruptible")
    def test_ctrl_c_leaves_no_half_file(self, tmp_path):
        add_segments(200_000)
        environment = {**os.environ, "DATABASE_URL": database_url()}
        command = [sys.executable, "-W", "ignore", "manage.py", SEGMENTS, "--sink", "file"]
        process = subprocess.Popen(
            [*command, "--file-path", str(tmp_path / "out.ndjson")],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
        )
        while not list(tmp_path.iterdir()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)

        error = process.communicate(timeout=60)[1].decode()

        assert process.returncode == 1
        assert "Stopped by hand; the checkpoint did not move." in error
        assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db(transaction=True)
class TestFile:
    @pytest.mark.habit(
        "The exporters' file holds the rows of the last run, and is empty after a run that found none.",
        "`--sink file` replaces the file by the rows of the run, all at once; `--append` adds them.",
    )
    def test_it_holds_the_rows_of_the_run_alone(self, tmp_path):
        flags = ["--sink", "file", "--file-path", str(tmp_path / "out.ndjson"), "--cursor-store", "file"]
        flags += ["--cursor-store-path", str(tmp_path / "cursor.json"), "--limit", "2"]
        record_segments(3)
        call_command(SEGMENTS, *flags)
        second = record_segments(3)

        call_command(SEGMENTS, *flags)
        held = ids(tmp_path / "out.ndjson")
        call_command(SEGMENTS, *flags)

        assert held == second
        assert (tmp_path / "out.ndjson").read_bytes() == b""

    @pytest.mark.habit(
        "`--sink file` without a path writes to a file of the exporter's name in the current folder.",
        "`guardrail_followups.ndjson` and `onboarding_pricing_segments.ndjson` are the defaults of `--file-path`.",
    )
    @pytest.mark.parametrize(
        ("command", "name"),
        [(SEGMENTS, "onboarding_pricing_segments.ndjson"), (FOLLOWUPS, "guardrail_followups.ndjson")],
    )
    def test_it_has_a_name_of_its_own_unless_one_is_given(self, command, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        call_command(command, "--sink", "file")
        call_command(command, "--sink", "file", "--gzip")

        assert sorted(os.listdir(tmp_path)) == [name, f"{name}.gz"]

    def test_rows_whose_checkpoint_could_not_be_written_are_in_the_next_file_too(self, tmp_path):
        flags = ["--sink", "file", "--file-path", str(tmp_path / "out.ndjson"), "--cursor-store", "file"]
        flags += ["--cursor-store-path", str(tmp_path / "cursor.json")]
        first = record_segments(2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FileStore, "write", full_disk)
            with pytest.raises(CommandError, match="the checkpoint did not move"):
                call_command(SEGMENTS, *flags)
        second = record_segments(1)

        call_command(SEGMENTS, *flags)

        assert ids(tmp_path / "out.ndjson") == first + second

    def test_a_run_that_fails_leaves_file_and_checkpoint_as_they_were(self, tmp_path):
        (tmp_path / "out.ndjson").mkdir()
        flags = ["--sink", "file", "--file-path", str(tmp_path / "out.ndjson"), "--cursor-store", "file"]
        record_segments(2)

        with pytest.raises(CommandError, match="it is not a regular file; the checkpoint did not move"):
            call_command(SEGMENTS, *flags, "--cursor-store-path", str(tmp_path / "cursor.json"))

        assert os.listdir(tmp_path) == ["out.ndjson"]

    def test_a_checkpoint_makes_the_next_run_go_on(self, tmp_path):
        flags = ["--sink", "file", "--append", "--file-path", str(tmp_path / "out.ndjson"), "--cursor-store", "file"]
        flags += ["--cursor-store-path", str(tmp_path / "cursor.json")]
        first = record_segments(2)
        call_command(SEGMENTS, *flags)
        second = record_segments(2)

        call_command(SEGMENTS, *flags)
        call_command(SEGMENTS, *flags)

        assert ids(tmp_path / "out.ndjson") == first + second
        checkpoint = json.loads((tmp_path / "cursor.json").read_text())
        newest = PricingExperimentSegment.objects.order_by("-position")[0]
        assert (checkpoint["cursor"], checkpoint["position"]) == (iso(newest.recorded_at), newest.position)

    def test_a_bare_timestamp_resumes_inclusive(self, tmp_path):
        event_ids = record_segments(3)
        middle = PricingExperimentSegment.objects.get(pk=event_ids[1])
        (tmp_path / "cursor.json").write_text(iso(middle.recorded_at))

        call_command(
            SEGMENTS,
            *["--sink", "file", "--file-path", str(tmp_path / "out")],
            *["--cursor-store", "file", "--cursor-store-path", str(tmp_path / "cursor.json")],
        )

        assert ids(tmp_path / "out") == event_ids[1:]

    def test_a_checkpoint_by_time_leaves_out_no_row_that_was_stored_behind_it(self, tmp_path):
        first, late = record_segments(2)
        at = PricingExperimentSegment.objects.get(pk=first).recorded_at
        PricingExperimentSegment.objects.filter(pk=late).update(recorded_at=at - timedelta(milliseconds=5))
        (tmp_path / "cursor.json").write_text(iso(at))

        call_command(
            SEGMENTS,
            *["--sink", "file", "--file-path", str(tmp_path / "out")],
            *["--cursor-store", "file", "--cursor-store-path", str(tmp_path / "cursor.json")],
        )

        assert set(ids(tmp_path / "out")) == {first, late}

    def test_a_corrupt_checkpoint_is_an_error_and_no_restart(self, tmp_path, capsys):
        record_segments(1)
        (tmp_path / "cursor.json").write_text('{"cursor": "rubbish"}')

        with pytest.raises(CommandError, match=r"cursor\.json cannot be used") as error:
            call_command(SEGMENTS, "--cursor-store", "file", "--cursor-store-path", str(tmp_path / "cursor.json"))

        assert error.value.returncode == 1
        assert capsys.readouterr().out == ""

    def test_until_and_cursor_bound_the_rows(self, tmp_path):
        event_ids = record_segments(4)
        times = [PricingExperimentSegment.objects.get(pk=pk).recorded_at for pk in event_ids]

        call_command(
            SEGMENTS,
            *["--sink", "file", "--file-path", str(tmp_path / "out")],
            *["--cursor", iso(times[1]), "--until", iso(times[2])],
        )

        assert ids(tmp_path / "out") == event_ids[1:3]

    def test_a_run_can_be_limited(self, tmp_path):
        event_ids = record_segments(5)

        call_command(SEGMENTS, "--sink", "file", "--file-path", str(tmp_path / "out"), "--max-rows", "2")

        assert ids(tmp_path / "out") == event_ids[:2]

    def test_the_warehouse_shape_has_the_columns_of_the_reference(self, tmp_path):
        record_segments(1)

        call_command(SEGMENTS, "--sink", "file", "--file-path", str(tmp_path / "out"), "--shape", "warehouse")

        assert list(lines(tmp_path / "out")[0]) == [column.name for column in FEEDS["onboarding_segments"].columns]

    def test_a_file_can_be_compressed(self, tmp_path):
        event_ids = record_segments(2)

        call_command(SEGMENTS, "--sink", "file", "--file-path", str(tmp_path / "out.gz"), "--gzip")

        content = gzip.decompress((tmp_path / "out.gz").read_bytes())
        assert [json.loads(line)["eventId"] for line in content.splitlines()] == event_ids

    def test_a_path_that_cannot_be_written_is_named(self, tmp_path):
        record_segments(1)

        with pytest.raises(CommandError, match=r"cannot write .*nowhere/out") as error:
            call_command(SEGMENTS, "--sink", "file", "--file-path", str(tmp_path / "nowhere" / "out"))
        assert error.value.returncode == 1

    def test_a_dry_run_says_how_much_and_exports_nothing(self, tmp_path, capsys):
        event_ids = record_segments(2)

        call_command(SEGMENTS, "--sink", "file", "--file-path", str(tmp_path / "out"), "--dry-run")

        said = capsys.readouterr().err
        assert "Would export 2 rows" in said
        assert f"keys {event_ids[0]} to {event_ids[1]}" in said
        assert not (tmp_path / "out").exists()


@pytest.mark.django_db(transaction=True)
class TestCsv:
    def test_it_has_the_columns_of_the_warehouse_oldest_first(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        event_ids = record_segments(3)

        call_command(SEGMENTS, "--sink", "file", "--format", "csv")

        text = (tmp_path / "onboarding_pricing_segments.csv").read_bytes().decode()
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        assert header == [column.name for column in FEEDS["onboarding_segments"].columns]
        assert [row[0] for row in rows] == event_ids
        assert text.count("\r\n") == 4

    def test_a_cell_is_no_formula_and_keeps_its_line_breaks(self, capfdbinary):
        texts = ["=1+1", "＋1", "\tx", "a\nb", 'say "no", then', "-", "", "plain"]
        for text in texts:
            create_follow_up(notes=text)

        call_command(FOLLOWUPS, "--format", "csv")

        rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode(), newline="")))
        assert [row["notes"] for row in rows] == ["'=1+1", "'＋1", "'\tx", "a\nb", 'say "no", then', "'-", "", "plain"]

    def test_a_run_without_rows_has_its_header(self, tmp_path):
        call_command(SEGMENTS, "--sink", "file", "--format", "csv", "--file-path", str(tmp_path / "out.csv"))

        assert (tmp_path / "out.csv").read_bytes().count(b"\r\n") == 1

    def test_workers_give_the_same_file_as_one(self, tmp_path):
        add_segments(500)
        flags = ["--sink", "file", "--format", "csv", "--file-path"]

        assert [manage(SEGMENTS, *flags, str(tmp_path / n), "--workers", n).returncode for n in "13"] == [0, 0]

        assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()

    @pytest.mark.parametrize("flags", [["--sink", "s3"], ["--sink", "file", "--append"], ["--dry-run"]])
    def test_what_does_not_go_with_it_is_named(self, flags):
        with pytest.raises(CommandError, match=r"--(format csv|append|dry-run) goes with") as error:
            call_command(SEGMENTS, "--format", "csv", *flags)

        assert error.value.returncode == 2


@pytest.mark.django_db(transaction=True)
class TestWorkers:
    """Several processes; each command runs in a process of its own, since it forks."""

    @pytest.mark.parametrize("shape", ["wire", "warehouse"])
    def test_they_give_the_same_file_as_one(self, tmp_path, shape):
        # Times that go back, and many that are shared, across the ends of the parts.
        add_segments(3_000)
        PricingExperimentSegment.objects.filter(position__gt=1_000, position__lt=1_400).update(
            recorded_at=timezone.now()
        )
        flags = ["--sink", "file", "--shape", shape, "--cursor-store", "file", "--cursor-store-path"]

        for workers in ("1", "2", "5"):
            stored = [str(tmp_path / f"{workers}.json"), "--file-path", str(tmp_path / workers), "--workers", workers]
            assert manage(SEGMENTS, *flags, *stored).returncode == 0

        files = [(tmp_path / workers).read_bytes() for workers in ("1", "2", "5")]
        assert files[0].count(b"\n") == 3_000
        assert files[0] == files[1] == files[2]
        points = [json.loads((tmp_path / f"{workers}.json").read_text()) for workers in ("1", "2", "5")]
        assert [point["rows"] for point in points] == [3_000] * 3
        assert points[0]["position"] == points[1]["position"] == points[2]["position"]

    def test_they_make_one_object_with_one_manifest(self, tmp_path):
        add_segments(500)
        flags = ["--sink", "s3", "--s3-uri", (tmp_path / "lake").as_uri()]

        assert [manage(SEGMENTS, *flags, "--workers", workers).returncode for workers in "13"] == [0, 0]

        receipts = [json.loads(path.read_bytes()) for path in (tmp_path / "lake").rglob("*.manifest.json")]
        own = ("createdAt", "object", "run")
        first, second = ({name: receipt[name] for name in receipt if name not in own} for receipt in receipts)
        assert first == second
        assert first["rows"] == 500

    def test_a_worker_that_is_killed_fails_the_run_and_leaves_the_file(self, tmp_path):
        add_segments(200_000)
        (tmp_path / "out.ndjson").write_bytes(b"earlier\n")
        environment = {**os.environ, "DATABASE_URL": database_url()}
        command = [sys.executable, "-W", "ignore", "manage.py", SEGMENTS, "--sink", "file", "--workers", "2"]
        stored = ["--cursor-store", "file", "--cursor-store-path", str(tmp_path / "c.json")]
        process = subprocess.Popen(
            [*command, "--file-path", str(tmp_path / "out.ndjson"), *stored],
            cwd=ROOT,
            env=environment,
            stderr=subprocess.PIPE,
        )
        while not (workers := psutil.Process(process.pid).children()):
            assert process.poll() is None
        workers[0].kill()

        error = process.communicate(timeout=60)[1].decode()

        assert process.returncode == 1
        assert "a worker could not read its part: it ended with exit code -9; the checkpoint did not move" in error
        assert os.listdir(tmp_path) == ["out.ndjson"]
        assert (tmp_path / "out.ndjson").read_bytes() == b"earlier\n"

    @pytest.mark.parametrize("number", ["0", "17", "-1", "two", "1.5"])
    def test_their_number_is_checked(self, number, capsys):
        with pytest.raises(CommandError, match=r"--workers: .* is not a whole number from 1 to 16"):
            call_command(SEGMENTS, f"--workers={number}")

    def test_a_webhook_takes_one_batch_after_the_other(self):
        with pytest.raises(CommandError, match="--workers goes with --sink stdout, file or s3"):
            call_command(SEGMENTS, "--sink", "webhook", "--webhook-url", "http://127.0.0.1:9", "--workers", "2")


@pytest.mark.django_db(transaction=True)
class TestWebhookAndLake:
    def test_an_unreachable_webhook_fails_and_moves_nothing(self, tmp_path):
        record_segments(1)
        with fake_server() as server:
            server.usual = Reply(404)
            with pytest.raises(CommandError, match="the checkpoint did not move") as error:
                call_command(
                    SEGMENTS,
                    *["--sink", "webhook", "--webhook-url", f"{server.url}/secret"],
                    *["--cursor-store", "file", "--cursor-store-path", str(tmp_path / "c.json")],
                )

        assert error.value.returncode == 1
        assert "secret" not in str(error.value)
        assert not (tmp_path / "c.json").exists()

    def test_the_checkpoint_follows_each_confirmed_batch(self, tmp_path):
        add_segments(25)
        with fake_server() as server:
            server.replies.extend([Reply(200), Reply(200), Reply(400)])
            with pytest.raises(CommandError, match="the checkpoint stands at"):
                call_command(
                    SEGMENTS,
                    *["--sink", "webhook", "--webhook-url", server.url, "--limit", "10"],
                    *["--cursor-store", "file", "--cursor-store-path", str(tmp_path / "c.json")],
                )

        position = json.loads((tmp_path / "c.json").read_text())["position"]
        assert PricingExperimentSegment.objects.filter(position__gt=position).count() == 5

    def test_an_object_of_the_lake_has_its_manifest(self, s3):
        record_segments(2)

        call_command(SEGMENTS, "--sink", "s3", "--s3-uri", "s3://lake/stage", "--shape", "warehouse")

        keys = sorted(item["Key"] for item in s3.list_objects_v2(Bucket="lake")["Contents"])
        manifest = json.loads(s3.get_object(Bucket="lake", Key=keys[1])["Body"].read())
        assert (keys[1], manifest["rows"], manifest["shape"]) == (f"{keys[0]}.manifest.json", 2, "warehouse")

    def test_one_provider_needs_no_checkpoint_of_all(self, tmp_path):
        for provider in ("p1", "p2"):
            create_follow_up(provider_id=provider)

        call_command(FOLLOWUPS, "--sink", "file", "--file-path", str(tmp_path / "out"), "--provider-id", "p2")

        assert [row["providerId"] for row in lines(tmp_path / "out")] == ["p2"]
        assert manage(FOLLOWUPS, "--provider-id", "p2", "--cursor-store", "db", capture_output=True).returncode == 2


@pytest.mark.django_db(transaction=True)
class TestTheJobsCheckpoint:
    def test_a_start_of_ones_own_does_not_go_with_it(self):
        record_segments(1)

        result = manage(SEGMENTS, "--cursor", "2026-01-01T00:00:00Z", "--cursor-store", "db", capture_output=True)

        assert result.returncode == 2
        assert not Checkpoint.objects.exists()

    def test_the_command_moves_it_as_a_run_of_its_own(self, tmp_path):
        record_segments(2)

        call_command(SEGMENTS, "--sink", "file", "--file-path", str(tmp_path / "out"), "--cursor-store", "db")

        run = ExportRun.objects.get()
        assert (run.trigger, run.state, run.rows) == ("command", "succeeded", 2)
        assert Checkpoint.objects.get().position == PricingExperimentSegment.objects.order_by("-position")[0].position

    def test_of_two_at_once_one_is_recorded_as_skipped(self, tmp_path, capsys):
        record_segments(1)
        job = runs.request_run(FEEDS["onboarding_segments"], ExportRun.Trigger.SCHEDULE)

        with claims.claimed(job):
            result = manage(SEGMENTS, "--cursor-store", "db", capture_output=True)

        assert (result.returncode, result.stdout) == (0, b"")
        skipped = ExportRun.objects.exclude(pk=job.pk).get()
        assert (skipped.state, skipped.trigger) == ("skipped", "command")


@pytest.mark.django_db(transaction=True)
class TestOverHttp:
    @pytest.fixture
    def flags(self, live_server, tmp_path) -> list[str]:
        return ["--api-base-url", live_server.url, "--api-key", API_KEY, "--sink", "file"]

    @pytest.mark.parametrize("shape", ["wire", "warehouse"])
    def test_it_gives_the_same_bytes_as_the_database(self, flags, tmp_path, shape):
        for _ in range(3):
            segments.record(
                uuid4(),
                [experiment(variant_key=f"{NASTY}{number}", variant_name=NASTY) for number in range(5)],
                order_number=NASTY,
            )
        add_segments(2_300)

        call_command(SEGMENTS, "--sink", "file", "--file-path", str(tmp_path / "db"), "--shape", shape)
        call_command(VIA_API, *flags, "--file-path", str(tmp_path / "api"), "--shape", shape, "--limit", "700")

        assert len(lines(tmp_path / "db")) == 2_315
        assert (tmp_path / "api").read_bytes() == (tmp_path / "db").read_bytes()

    def test_it_goes_on_behind_its_checkpoint(self, flags, tmp_path):
        flags += ["--append", "--file-path", str(tmp_path / "out"), "--cursor-store", "file"]
        flags += ["--cursor-store-path", str(tmp_path / "c.json")]
        first = record_segments(2)
        call_command(VIA_API, *flags)
        second = record_segments(2)

        call_command(VIA_API, *flags)
        call_command(VIA_API, *flags)

        assert ids(tmp_path / "out") == first + second
        assert "position" in json.loads((tmp_path / "c.json").read_text())

    def test_a_checkpoint_of_the_database_exporter_is_refused(self, flags, tmp_path):
        record_segments(1)
        stored = ["--cursor-store", "file", "--cursor-store-path", str(tmp_path / "c.json")]
        call_command(SEGMENTS, "--sink", "file", "--file-path", str(tmp_path / "db"), *stored)

        with pytest.raises(CommandError, match="over HTTP its position means nothing"):
            call_command(VIA_API, *flags, "--file-path", str(tmp_path / "api"), *stored)

    def test_a_bare_time_resumes_inclusive(self, flags, tmp_path):
        event_ids = record_segments(3)
        middle = PricingExperimentSegment.objects.get(pk=event_ids[1]).recorded_at

        call_command(VIA_API, *flags, "--file-path", str(tmp_path / "out"), "--cursor", iso(middle))

        assert ids(tmp_path / "out") == event_ids[1:]

    def test_rows_up_to_a_time_alone(self, flags, tmp_path):
        event_ids = record_segments(3)
        middle = PricingExperimentSegment.objects.get(pk=event_ids[1]).recorded_at

        call_command(VIA_API, *flags, "--file-path", str(tmp_path / "out"), "--until", iso(middle))

        assert ids(tmp_path / "out") == event_ids[:2]

    def test_a_dry_run_says_what_that_of_the_database_says(self, flags, tmp_path, capsys):
        record_segments(3)

        call_command(SEGMENTS, "--max-rows", "2", "--dry-run")
        of_the_database = capsys.readouterr().err
        call_command(VIA_API, *flags, "--file-path", str(tmp_path / "out"), "--max-rows", "2", "--dry-run")

        assert capsys.readouterr().err == of_the_database
        assert not (tmp_path / "out").exists()

    def test_a_wrong_key_is_an_error_that_does_not_repeat_it(self, live_server):
        with pytest.raises(CommandError, match="answered 401") as error:
            call_command(VIA_API, "--api-base-url", live_server.url, "--api-key", "a-wrong-key-indeed")
        assert "a-wrong-key-indeed" not in str(error.value)

    @pytest.mark.habit(
        "The exporter over HTTP reads http://localhost:8000 where API_BASE_URL is not set.",
        "`API_BASE_URL` is http://localhost:8000 by default.",
    )
    def test_it_reads_the_installation_of_this_machine_unless_one_is_named(self, settings):
        assert settings.API_BASE_URL == "http://localhost:8000"
        assert "API_BASE_URL" not in os.environ

    def test_an_address_that_is_no_installation_is_named(self):
        with fake_server() as server, pytest.raises(CommandError, match="is it the address of a SMPLAT installation"):
            call_command(VIA_API, "--api-base-url", server.url, "--api-key", API_KEY)

    def test_it_works_without_a_database_and_without_secrets(self, live_server, tmp_path):
        event_ids = record_segments(2)
        environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path / "var")}
        command = [sys.executable, "-W", "ignore", "manage.py", VIA_API, "--api-base-url", live_server.url]

        result = subprocess.run(
            [*command, "--api-key", API_KEY],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            timeout=60,
            check=False,
        )

        assert [json.loads(line)["eventId"] for line in result.stdout.splitlines()] == event_ids, result.stderr
        assert not (tmp_path / "var" / "postgres").exists()

    def test_an_installation_that_cannot_be_reached_fails_after_some_attempts(self, monkeypatch):
        import time

        pauses: list[float] = []
        monkeypatch.setattr(time, "sleep", pauses.append)

        with pytest.raises(CommandError, match="cannot be reached"):
            call_command(VIA_API, "--api-base-url", closed_port_url(), "--api-key", API_KEY)
        assert len(pauses) == 4
