"""The lake on a disk and on the S3 server of docker-compose.yml."""

import os
import socket
import threading
import time
from datetime import timedelta
from io import BytesIO
from urllib.parse import quote, urlsplit

import httpx
import pytest

from reporting.lake import storage
from tests.fakes import tcp_server
from tests.http_client import HTTP
from tests.s3_server import SERVICES, s3_server, wait_until_ready

ACCOUNT = ("test", "test")


@pytest.fixture(scope="module", autouse=True)
def starting_s3_server(tmp_path_factory):
    """The address of the server, which starts while the first tests run."""
    with s3_server(tmp_path_factory.mktemp("s3"), *ACCOUNT) as url:
        yield url


@pytest.fixture(scope="module", name="s3_server")
def ready_s3_server(starting_s3_server):
    """The address of the server, once it answers; the other modules have a lighter one."""
    wait_until_ready(starting_s3_server)
    return starting_s3_server


@pytest.fixture(params=["file", "s3"])
def root(request, tmp_path) -> str:
    """The URI of an empty lake of each kind."""
    if request.param == "s3":
        request.getfixturevalue("s3")
        return "s3://lake/prefix"
    return str(tmp_path.as_uri())


def content(uri: str) -> bytes:
    return b"".join(storage.read(uri))


class TestFiles:
    def test_a_failed_write_leaves_the_old_file_and_no_scrap(self, tmp_path):
        uri = (tmp_path / "status.json").as_uri()
        storage.write(uri, b"old")

        class Torn(BytesIO):
            def read(self, size=-1):
                raise OSError(28, "No space left on device")

        with pytest.raises(storage.LakeError, match="No space left on device"):
            storage.write(uri, Torn(b"new"))
        assert content(uri) == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["status.json"]

    def test_a_path_that_cannot_be_written_is_named(self, tmp_path):
        (tmp_path / "file").write_text("in the way")

        with pytest.raises(storage.LakeError, match="cannot write file://.*/file/below"):
            storage.write(f"{tmp_path.as_uri()}/file/below", b"x")

    def test_a_folder_that_cannot_be_listed_is_named(self, tmp_path):
        (tmp_path / "file").write_text("in the way")

        with pytest.raises(storage.LakeError, match="cannot list file://.*/file/below: Not a directory"):
            list(storage.listing(f"{tmp_path.as_uri()}/file/below"))

    def test_a_reader_never_sees_half_a_file(self, tmp_path):
        uri = (tmp_path / "status.json").as_uri()
        versions = {bytes([letter]) * 200_000 for letter in b"ab"}
        storage.write(uri, next(iter(versions)))
        stop = threading.Event()

        def keep_writing() -> None:
            while not stop.is_set():
                for version in versions:
                    storage.write(uri, version)

        thread = threading.Thread(target=keep_writing)
        thread.start()
        seen = {content(uri) for _ in range(50)}
        stop.set()
        thread.join()

        assert seen <= versions

    def test_a_signed_url_serves_the_file_until_it_expires(self, tmp_path, client, settings):
        uri = (tmp_path / "a.ndjson").as_uri()
        storage.write(uri, b"{}\n")
        path = urlsplit(storage.download_url(uri)).path

        assert client.get(path).getvalue() == b"{}\n"
        assert client.get(f"{path[:-1]}{'a' if path[-1] != 'a' else 'b'}").status_code == 403
        settings.EXPORT_URL_EXPIRY = timedelta(seconds=-1)
        assert client.get(path).json() == {"detail": "This link has expired."}

    def test_a_signed_url_of_a_file_that_is_gone_is_a_404(self, tmp_path, client):
        path = urlsplit(storage.download_url((tmp_path / "gone.ndjson").as_uri())).path

        assert client.get(path).status_code == 404


class TestAbandonedFiles:
    @pytest.fixture
    def folder(self, tmp_path, settings):
        """A folder of the lake, whose name has to be escaped in a URI."""
        settings.LAKE_URI = (tmp_path / "a lake").as_uri()
        folder = tmp_path / "a lake" / "quick-order" / "2026"
        folder.mkdir(parents=True)
        return folder

    def test_what_a_killed_writer_left_goes_after_a_day(self, folder, monkeypatch):
        with monkeypatch.context() as killed:
            killed.setattr(os, "replace", lambda *_: 1 / 0)
            killed.setattr(os, "unlink", lambda _: None)
            for name in ("old", "young"):
                with pytest.raises(ZeroDivisionError):
                    storage.write((folder / f"{name}.ndjson").as_uri(), b"half")
        (old,) = folder.glob(".old*")
        os.utime(old, (0, time.time() - 90_000))

        storage.sweep()

        assert [path.name.split(".")[1] for path in folder.iterdir()] == ["young"]

    def test_what_is_finished_or_of_others_stays(self, folder):
        storage.write((folder / "a.ndjson").as_uri(), b"whole")
        (folder / ".settings").write_bytes(b"of somebody else")
        for path in folder.iterdir():
            os.utime(path, (0, 0))

        storage.sweep()

        assert sorted(path.name for path in folder.iterdir()) == [".settings", "a.ndjson"]


class TestBothKinds:
    def test_what_was_written_is_read_byte_for_byte(self, root):
        data = os.urandom(300_000)

        storage.write(f"{root}/a/b c/é.ndjson", BytesIO(data))

        assert content(f"{root}/a/b c/é.ndjson") == data

    def test_a_second_write_replaces_the_first(self, root):
        storage.write(f"{root}/status.json", b"a longer first content")
        storage.write(f"{root}/status.json", b"second")

        assert content(f"{root}/status.json") == b"second"

    def test_a_missing_object_is_an_error_before_the_first_chunk(self, root):
        with pytest.raises(storage.LakeError, match=r"cannot read .*nothing\.json"):
            storage.read(f"{root}/nothing.json")

    def test_a_folder_lists_what_lies_below_it_by_names_that_can_be_read(self, root):
        names = [
            "2026/11/08/a.ndjson",
            "2026/11/08/a.ndjson.manifest.json",
            "dt=2026-11-08/b c.ndjson",
            "é%20?#.ndjson",
        ]
        for name in names:
            storage.write(f"{root}/folder/{quote(name, safe='/=')}", name.encode())
        storage.write(f"{root}/folder-2/other.ndjson", b"beside it")

        listed = list(storage.listing(f"{root}/folder"))

        assert sorted(content(uri).decode() for uri in listed) == sorted(names)
        assert {f"{root}/folder/2026/11/08/a.ndjson", f"{root}/folder/dt=2026-11-08/b%20c.ndjson"} <= set(listed)

    def test_a_folder_that_is_not_there_lists_nothing(self, root):
        assert list(storage.listing(f"{root}/nothing/here")) == []

    def test_the_readiness_check_writes_and_reads(self, root, settings):
        settings.LAKE_URI = root

        storage.check()

        assert content(f"{root}/.readiness") == b"ready\n"

    def test_a_lake_that_gives_back_something_else_is_not_ready(self, root, settings, monkeypatch):
        settings.LAKE_URI = root
        monkeypatch.setattr(storage, "read", lambda uri: iter([b"other\n"]))

        with pytest.raises(storage.LakeError, match="cannot read back"):
            storage.check()


class TestS3:
    def test_a_presigned_url_needs_no_credentials(self, s3):
        storage.write("s3://lake/x.ndjson", b"{}\n")

        answer = HTTP.get(storage.download_url("s3://lake/x.ndjson"))

        assert (answer.status_code, answer.content) == (200, b"{}\n")
        assert answer.headers["Content-Type"] == "application/x-ndjson"

    def test_it_needs_credentials_without_a_signature(self, s3):
        storage.write("s3://lake/x.ndjson", b"{}\n")

        answer = HTTP.get(storage.download_url("s3://lake/x.ndjson").partition("?")[0])

        assert answer.status_code == 403

    def test_a_reader_never_sees_half_an_object(self, s3):
        versions = {bytes([letter]) * 1_000_000 for letter in b"ab"}
        storage.write("s3://lake/status.json", next(iter(versions)))

        def keep_writing() -> None:
            for version in [*versions] * 5:
                storage.write("s3://lake/status.json", version)

        writer = threading.Thread(target=keep_writing)
        writer.start()
        seen = {content("s3://lake/status.json") for _ in range(10)}
        writer.join()

        assert seen <= versions

    def test_an_object_that_must_be_new_is_not_replaced(self, s3):
        s3.put_object(Bucket="lake", Key="once", Body=b"first", IfNoneMatch="*")

        with pytest.raises(s3.exceptions.ClientError, match="PreconditionFailed"):
            s3.put_object(Bucket="lake", Key="once", Body=b"second", IfNoneMatch="*")
        assert content("s3://lake/once") == b"first"

    def test_the_service_that_makes_the_bucket_may_be_repeated(self, s3_server):
        *_, script = SERVICES["bucket"]["command"]

        for _ in range(2):
            exec(script.replace("http://s3:9000", s3_server), {})

        assert httpx.head(f"{s3_server}/smplat-lake").status_code == 403

    def test_an_unknown_bucket_is_named(self, s3):
        with pytest.raises(storage.LakeError, match=r"cannot write s3://no-such-bucket/x: NoSuchBucket"):
            storage.write("s3://no-such-bucket/x", b"x")

    def test_a_server_that_is_not_there_fails_in_words(self, settings, monkeypatch):
        settings.AWS_S3_ENDPOINT_URL = "http://127.0.0.1:9"
        storage._bucket.cache_clear()
        monkeypatch.setattr("time.sleep", lambda seconds: None)

        with pytest.raises(storage.LakeError, match="EndpointConnectionError"):
            storage.write("s3://lake/x", b"x")
        storage._bucket.cache_clear()

    def test_a_large_object_is_streamed(self, s3):
        data = os.urandom(20 * 1024 * 1024)
        storage.write("s3://lake/large", BytesIO(data))

        chunks = list(storage.read("s3://lake/large"))

        assert b"".join(chunks) == data
        assert max(map(len, chunks)) <= 65_536


def test_an_s3_server_that_breaks_off_amid_an_interim_answer_is_an_error(settings):
    """A loop of botocore's that has no end, were it to wait for leave to send the body."""

    def break_off(client: socket.socket, is_over: threading.Event) -> None:
        client.recv(65_536)
        client.sendall(b"HTTP/1.1 100 Continue\r\n")

    problems: list[str] = []

    def write() -> None:
        try:
            storage.write("s3://lake/object", BytesIO(b"content"))
        except storage.LakeError as error:
            problems.append(str(error))

    with tcp_server(break_off) as address:
        settings.AWS_S3_ENDPOINT_URL = f"http://{address}"
        storage._bucket.cache_clear()
        # A thread, since a loop without an end would keep the suite.
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        writer.join(60)
    storage._bucket.cache_clear()

    assert [problem.partition(":")[0] for problem in problems] == ["cannot write s3"]
