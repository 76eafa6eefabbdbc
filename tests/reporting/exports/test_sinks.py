"""Sinks on this machine and in the lake: whole or not at all."""

import gzip
import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from reporting.exports.sinks import SinkError
from reporting.exports.sinks.lake import LakeSink
from reporting.exports.sinks.streams import FileSink, ReceiverGoneError, StdoutSink
from reporting.feeds import FEEDS
from reporting.feeds.checksums import id_number
from reporting.feeds.lines import Figures, Line, ndjson
from reporting.lake import storage
from tests import ROOT

FEED = FEEDS["onboarding_segments"]
RUN = UUID("5a1f0c52-2a4d-4b6e-9d0f-6f1f6f0f8a11")
TRICKY = json.dumps({"notes": 'a "quote", a \\ backslash,\na line, 🦜 and \u2028'}, ensure_ascii=False).encode()
TO_HEAD = """
import os, signal, sys
from reporting.exports.sinks.streams import ReceiverGoneError, StdoutSink
sink, data = StdoutSink(sys.stdout.buffer), b"x" * 1_000 + b"\\n"
try:
    while True:
        sink.take(data * 100)
except ReceiverGoneError as reason:
    print(reason, file=sys.stderr)
"""


def line(number: int, json: bytes | None = None, position: int | None = None) -> Line:
    key = str(UUID(int=number << 96 | 7))
    time = f"2026-11-08T08:00:{number:02}.000000Z"
    json = b'{"n":%d}' % number if json is None else json
    return Line(number if position is None else position, time, key, json)


def lines(*numbers: int) -> list[Line]:
    return [line(number) for number in numbers]


def data(*numbers: int) -> bytes:
    return ndjson(lines(*numbers))


@contextmanager
def files_no_larger_than(size: int):
    """Make the system refuse to let a file grow further, which it does as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TornStream(io.BytesIO):
    """A stream on a full disk."""

    def write(self, data):
        raise OSError(28, "No space left on device")


class TestStdout:
    def test_it_writes_lines_and_flushes_each_batch(self):
        stream = io.BytesIO()
        sink = StdoutSink(io.BufferedWriter(stream))

        sink.take(ndjson([line(1), line(2, TRICKY)]))

        assert stream.getvalue() == b'{"n":1}\n' + TRICKY + b"\n"
        sink.take(data(3))
        assert stream.getvalue().endswith(b'{"n":3}\n')
        assert sink.commit() == []

    def test_a_full_disk_is_an_error_in_words(self):
        with pytest.raises(SinkError, match="cannot write to standard output: No space left on device"):
            StdoutSink(TornStream()).take(data(1))

    def test_a_reader_that_stops_ends_it_quietly(self, tmp_path):
        program = subprocess.Popen(
            [sys.executable, "-c", TO_HEAD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )
        with program:
            assert program.stdout is not None
            assert program.stderr is not None
            assert program.stdout.readline() == b"x" * 1_000 + b"\n"
            program.stdout.close()
            said = program.stderr.read()

        assert (program.returncode, said) == (0, b"nobody reads standard output any more\n")

    def test_a_closed_pipe_is_told_from_a_failure(self):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as stream, pytest.raises(ReceiverGoneError):
            StdoutSink(stream).take(data(1))


class TestFile:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Where the sink writes; the folder is empty."""
        return tmp_path / "out.ndjson"

    def test_the_name_appears_with_the_whole_run(self, path):
        sink = FileSink(path)

        sink.take(ndjson([line(1), line(2, TRICKY)]))
        sink.take(data(3))
        assert not path.exists()

        assert sink.commit() == [path.as_uri()]
        assert path.read_bytes() == b'{"n":1}\n' + TRICKY + b'\n{"n":3}\n'
        assert os.listdir(path.parent) == [path.name]

    def test_what_was_there_is_replaced_at_once(self, path):
        path.write_bytes(b"earlier\n")
        path.chmod(0o640)
        sink = FileSink(path)

        sink.take(data(1))
        sink.take(data(2))
        assert path.read_bytes() == b"earlier\n"
        sink.commit()

        assert path.read_bytes() == b'{"n":1}\n{"n":2}\n'
        assert path.stat().st_mode & 0o777 == 0o640

    def test_a_run_without_rows_leaves_an_empty_file(self, path):
        path.write_bytes(b"earlier\n")

        assert FileSink(path).commit() == [path.as_uri()]
        assert path.read_bytes() == b""
        assert os.listdir(path.parent) == [path.name]

    def test_a_compressed_file_replaces_a_plain_one(self, path):
        path.write_bytes(b"plain\n")
        sink = FileSink(path, gzip=True)

        sink.take(data(1))
        sink.commit()

        assert gzip.decompress(path.read_bytes()) == b'{"n":1}\n'

    def test_what_was_there_is_kept_by_a_sink_that_appends(self, path):
        path.write_bytes(b"earlier\n")
        path.chmod(0o640)
        sink = FileSink(path, appends=True)

        sink.take(data(1))
        assert path.read_bytes() == b"earlier\n"
        sink.commit()

        assert path.read_bytes() == b'earlier\n{"n":1}\n'
        assert path.stat().st_mode & 0o777 == 0o640

    def test_a_row_does_not_become_part_of_an_unfinished_line(self, path):
        path.write_bytes(b"no end")
        sink = FileSink(path, appends=True)

        sink.take(data(1))
        sink.commit()

        assert path.read_bytes() == b'no end\n{"n":1}\n'

    def test_compressed_rows_are_a_further_member(self, path):
        for number in (1, 2):
            sink = FileSink(path, gzip=True, appends=True)
            sink.take(data(number))
            sink.commit()

        assert gzip.decompress(path.read_bytes()) == b'{"n":1}\n{"n":2}\n'

    @pytest.mark.parametrize("is_gzip", [True, False])
    def test_compressed_and_plain_rows_do_not_mix(self, path, is_gzip):
        path.write_bytes(b"plain\n" if is_gzip else gzip.compress(b"x"))

        with pytest.raises(SinkError, match=r"out\.ndjson: it is (not )?compressed"):
            FileSink(path, gzip=is_gzip, appends=True).take(data(1))

    def test_what_a_killed_run_left_goes_after_a_day(self, path):
        ages = {"old": timedelta(hours=25), "young": timedelta(hours=23)}
        for name, age in ages.items():
            left = path.with_name(f".{name}.unfinished")
            left.write_bytes(b"half a r")
            os.utime(left, times=(time.time() - age.total_seconds(),) * 2)

        sink = FileSink(path)
        sink.take(data(1))
        sink.commit()

        assert sorted(file.name for file in path.parent.iterdir()) == [".young.unfinished", "out.ndjson"]

    def test_a_run_without_rows_appends_nothing(self, path):
        assert FileSink(path, appends=True).commit() == []
        assert os.listdir(path.parent) == []

    @pytest.mark.parametrize("appends", [True, False])
    @pytest.mark.parametrize("is_gzip", [True, False])
    def test_an_aborted_run_leaves_the_file_as_it_was(self, path, is_gzip, appends):
        path.write_bytes(gzip.compress(b"earlier\n") if is_gzip else b"earlier\n")
        before = path.read_bytes()
        sink = FileSink(path, gzip=is_gzip, appends=appends)
        sink.take(data(1, 2))

        sink.abort()
        sink.abort()

        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]

    @pytest.mark.parametrize("appends", [True, False])
    @pytest.mark.parametrize("is_gzip", [True, False])
    def test_a_full_disk_leaves_the_file_as_it_was(self, path, is_gzip, appends):
        path.write_bytes(gzip.compress(b"earlier\n") if is_gzip else b"earlier\n")
        before = path.read_bytes()
        sink = FileSink(path, gzip=is_gzip, appends=appends)

        def run():
            sink.take(ndjson([line(number % 60, os.urandom(1_000).hex().encode()) for number in range(100)]))
            sink.commit()

        with (
            files_no_larger_than(8_192),
            pytest.raises(SinkError, match=r"cannot write /.*/out\.ndjson: File too large"),
        ):
            run()
        sink.abort()

        assert path.read_bytes() == before
        assert os.listdir(path.parent) == [path.name]

    def test_a_path_that_cannot_be_written_is_named(self, tmp_path):
        with pytest.raises(SinkError, match=r"cannot write /.*/no/such: No such file or directory"):
            FileSink(tmp_path / "no" / "such").take(data(1))

    def test_a_device_is_not_replaced_by_a_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")

        with pytest.raises(SinkError, match="pipe: it is not a regular file"):
            FileSink(tmp_path / "pipe").take(data(1))

    def test_a_link_stays_a_link(self, path):
        path.write_bytes(b"earlier\n")
        link = path.with_name("link")
        link.symlink_to(path)
        sink = FileSink(link, appends=True)

        sink.take(data(1))
        sink.commit()

        assert link.is_symlink()
        assert path.read_bytes() == b'earlier\n{"n":1}\n'

    def test_of_two_runs_into_one_file_none_loses_the_rows_of_the_other(self, path):
        first, second = FileSink(path), FileSink(path)
        first.take(data(1))
        second.take(data(2))

        first.commit()
        with pytest.raises(SinkError, match="something else has written to it during the run"):
            second.commit()

        assert path.read_bytes() == b'{"n":1}\n'
        assert os.listdir(path.parent) == [path.name]


class TestLake:
    @pytest.fixture(params=["file", "s3"])
    def root(self, request, tmp_path: Path) -> str:
        """The URI of an empty lake of each kind."""
        if request.param == "s3":
            request.getfixturevalue("s3")
            return "s3://lake/prefix"
        return (tmp_path / "lake").as_uri()

    @staticmethod
    def read(uri: str) -> bytes:
        return b"".join(storage.read(uri))

    def test_a_run_is_one_object_and_its_manifest(self, root):
        sink = LakeSink(FEED, root, RUN, "warehouse")

        # Rows come in the order of their time, which here is not that of their positions.
        sink.write([line(1, TRICKY, position=12), line(2, position=10)])
        sink.write([line(3, position=11)])
        uris = sink.commit()

        content = TRICKY + b'\n{"n":2}\n{"n":3}\n'
        manifest = json.loads(self.read(f"{sink.uri}.manifest.json"))
        assert uris == [sink.uri, f"{sink.uri}.manifest.json"]
        assert self.read(sink.uri) == content
        assert manifest.pop("createdAt").endswith("Z")
        assert manifest == {
            "feed": "onboarding_segments",
            "shape": "warehouse",
            "object": sink.uri,
            "bytes": len(content),
            "rows": 3,
            "sha256": hashlib.sha256(content).hexdigest(),
            "firstPosition": 10,
            "lastPosition": 12,
            "firstRecordedAt": "2026-11-08T08:00:01.000000Z",
            "lastRecordedAt": "2026-11-08T08:00:03.000000Z",
            "idSum": sum(id_number(line(number).key) for number in (1, 2, 3)),
            "run": str(RUN),
        }
        assert manifest["idSum"] == 6

    def test_bytes_make_the_same_receipt_as_lines(self, root):
        sinks = [LakeSink(FEED, root, RUN, "wire") for _ in range(2)]
        sinks[0].write(lines(1, 2, 3))
        for number in (1, 2, 3):
            sinks[1].take(data(number))

        sinks[0].commit()
        sinks[1].commit(Figures.of(lines(1, 2, 3)))

        receipts = [json.loads(self.read(f"{sink.uri}.manifest.json")) for sink in sinks]
        for receipt in receipts:
            del receipt["createdAt"], receipt["object"]
        assert receipts[0] == receipts[1]

    def test_the_key_says_feed_day_time_and_run(self, root):
        sink = LakeSink(FEED, f"{root}/", RUN, "wire", gzip=True)

        folder, _, name = sink.uri.rpartition("/")
        assert folder.removeprefix(f"{root}/")[:20] == "onboarding-segments/"
        day, moment = folder[-10:].replace("/", ""), name.partition("Z-")[0]
        assert moment.startswith(f"{day}T")
        assert name == f"{moment}Z-{RUN}.ndjson.gz"

    def test_a_manifest_counts_the_compressed_bytes(self, root):
        sink = LakeSink(FEED, root, RUN, "wire", gzip=True)

        sink.write(lines(1, 2))
        sink.commit()

        stored = self.read(sink.uri)
        manifest = json.loads(self.read(f"{sink.uri}.manifest.json"))
        assert gzip.decompress(stored) == b'{"n":1}\n{"n":2}\n'
        assert (manifest["bytes"], manifest["sha256"]) == (len(stored), hashlib.sha256(stored).hexdigest())
        assert manifest["rows"] == 2

    def test_two_sinks_never_share_a_key(self, root):
        sinks = [LakeSink(FEED, root, UUID(int=number), "wire") for number in range(3)]
        for number, sink in enumerate(sinks):
            sink.write(lines(number))
            sink.commit()

        assert [self.read(sink.uri) for sink in sinks] == [b'{"n":%d}\n' % number for number in range(3)]

    def test_a_run_without_rows_makes_no_object(self, root, tmp_path):
        assert LakeSink(FEED, root, RUN, "wire").commit() == []
        assert not (tmp_path / "lake").exists()

    def test_an_aborted_run_leaves_nothing(self, root, tmp_path, settings):
        sink = LakeSink(FEED, root, RUN, "wire", gzip=True)
        sink.write(lines(1))

        sink.abort()
        sink.abort()

        with pytest.raises(storage.LakeError):
            storage.read(sink.uri)
        assert os.listdir(settings.SPOOL_DIR) == []

    def test_an_object_that_could_not_be_written_has_no_manifest(self, tmp_path, settings):
        (tmp_path / "file").write_text("in the way")
        sink = LakeSink(FEED, (tmp_path / "file").as_uri(), RUN, "wire")
        sink.write(lines(1))

        with pytest.raises(SinkError, match=r"cannot write file:///.*\.ndjson: Not a directory"):
            sink.commit()
        sink.abort()

        assert (tmp_path / "file").read_text() == "in the way"
        assert os.listdir(settings.SPOOL_DIR) == []

    def test_an_unknown_bucket_is_named(self, s3):
        sink = LakeSink(FEED, "s3://no-such-bucket/prefix", RUN, "wire")
        sink.write(lines(1))

        with pytest.raises(SinkError, match=r"cannot write s3://no-such-bucket/.*: NoSuchBucket"):
            sink.commit()
        sink.abort()

    def test_a_full_disk_under_the_spool_is_named(self, root, settings):
        sink = LakeSink(FEED, root, RUN, "wire")

        with files_no_larger_than(8_192), pytest.raises(SinkError, match=r"cannot write to the spool /.*: File too la"):
            sink.write([line(1, b"x" * 20_000)])
        sink.abort()
