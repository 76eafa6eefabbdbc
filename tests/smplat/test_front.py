"""The front without a server: who counts as the client, what Django gets of a request, and how answers end."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from smplat.front.limits import Admissions, BusyError, Limits
from smplat.front.protocol import Front, client_address
from smplat.front.wsgi import Threads, environ

LIMITS = Limits(1_000, stall_seconds=0.2, requests=3, requests_per_address=2)


def scope(**changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "server": ("127.0.0.1", "8000"),
        "client": ("192.0.2.1", "4711"),
        "headers": [],
        **changes,
    }


class Content:
    """A stream that says whether it was closed."""

    streaming = True

    def __init__(self, parts: int) -> None:
        self.left, self.is_closed = parts, False

    def __iter__(self) -> Iterator[bytes]:
        while self.left:
            self.left -= 1
            yield b"part"

    def close(self) -> None:
        self.is_closed = True


class Reader:
    """A client that takes some parts of an answer, and then goes away or takes no more."""

    def __init__(self, parts: int, goes: bool) -> None:
        self.parts, self.goes = parts, goes
        self.sent: list[dict[str, Any]] = []
        self._has_gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self._has_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if len(self.sent) > self.parts:
            self._has_gone.set()
            await asyncio.sleep(0) if self.goes else await asyncio.Event().wait()


def ask(content: Content, parts: int, goes: bool = True, **changes: Any) -> list[dict[str, Any]]:
    """Have a reader ask for ``content``; return what it was sent."""

    def application(environ: dict[str, Any], start_response: Any) -> Content:
        start_response("200 OK", [("Content-Type", "text/csv")])
        return content

    async def run() -> list[dict[str, Any]]:
        reader = Reader(parts, goes)
        await Front(Threads(application, 1), LIMITS, 0)(scope(**changes), reader.receive, reader.send)
        return reader.sent

    return asyncio.run(run())


class TestStreams:
    def test_one_that_is_read_ends_with_its_end_mark_and_is_closed(self):
        content = Content(3)

        sent = ask(content, 99)

        assert sent[0]["headers"] == [(b"content-type", b"text/csv")]
        assert b"".join(message.get("body", b"") for message in sent) == b"part" * 3
        assert not sent[-1].get("more_body")
        assert content.is_closed

    def test_one_whose_reader_goes_away_is_closed_and_not_made_on(self):
        content = Content(1_000)

        ask(content, 3)

        assert content.is_closed
        assert content.left > 990

    def test_one_that_nobody_takes_is_closed_without_its_end_mark(self):
        content = Content(1_000)

        sent = ask(content, 3, goes=False)

        assert content.is_closed
        assert sent[-1].get("more_body")

    def test_a_head_request_makes_no_content(self):
        content = Content(1_000)

        sent = ask(content, 99, method="HEAD")

        assert content.is_closed
        assert content.left == 1_000
        assert [message.get("body", b"") for message in sent] == [b"", b""]


class TestEnvironment:
    def test_the_path_is_that_of_the_client_byte_for_byte(self):
        found = environ(scope(path="/a�é", raw_path=b"/a%ff%C3%A9", query_string=b"a=%20b"), b"")

        assert found["PATH_INFO"].encode("latin-1") == b"/a\xff\xc3\xa9"
        assert found["QUERY_STRING"] == "a=%20b"

    def test_a_body_has_its_length_however_it_was_sent(self):
        found = environ(scope(headers=[(b"transfer-encoding", b"chunked")]), b"four")

        assert found["CONTENT_LENGTH"] == "4"
        assert found["wsgi.input"].read() == b"four"
        assert "HTTP_TRANSFER_ENCODING" not in found

    def test_repeated_headers_are_joined_and_lookalikes_dropped(self):
        headers = [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"x-a", b"1"), (b"x-a", b"2"), (b"x_api_key", b"forged")]

        found = environ(scope(headers=headers), b"")

        assert (found["HTTP_COOKIE"], found["HTTP_X_A"]) == ("a=1; b=2", "1,2")
        assert "HTTP_X_API_KEY" not in found


class TestLimits:
    @pytest.mark.parametrize(
        ("forwarded", "proxies", "address"),
        [
            ([], 0, "192.0.2.9"),
            ([b"203.0.113.7"], 0, "192.0.2.9"),
            ([], 1, "192.0.2.9"),
            ([b"198.51.100.1, 203.0.113.7"], 1, "203.0.113.7"),
            ([b"198.51.100.1", b"203.0.113.7"], 2, "198.51.100.1"),
            ([b"203.0.113.7"], 3, "203.0.113.7"),
        ],
    )
    def test_only_trusted_proxies_say_who_the_client_is(self, forwarded, proxies, address):
        headers = [(b"x-forwarded-for", value) for value in forwarded]

        assert client_address(scope(client=("192.0.2.9", "4711"), headers=headers), proxies) == address

    def test_an_address_and_all_together_have_so_many_requests_under_way(self):
        admissions = Admissions(LIMITS)
        with admissions.admit("a"), admissions.admit("a"):
            with pytest.raises(BusyError):
                admissions.admit("a")
            with admissions.admit("b"), pytest.raises(BusyError):
                admissions.admit("c")

        with admissions.admit("a") as first, admissions.admit("a") as second:
            assert first is not second

    @pytest.mark.django_db
    def test_a_refusal_is_counted(self):
        async def refused() -> None:
            sent: list[dict[str, Any]] = []

            async def send(message: dict[str, Any]) -> None:
                sent.append(message)

            front = Front(Threads(lambda *_: [], 1), Limits(1_000, requests=0), 0)
            await front(scope(), Reader(0, goes=True).receive, send)
            assert sent[0]["status"] == 503

        def count() -> float:
            return REGISTRY.get_sample_value("smplat_front_refused_total", {"status": "503"}) or 0.0

        before = count()
        asyncio.run(refused())

        assert count() == before + 1

    def test_bodies_share_a_bounded_memory(self):
        admissions = Admissions(Limits(100, held_bytes=300, held_bytes_per_address=200))
        with admissions.admit("a") as one, admissions.admit("b") as two:
            one.hold(200)
            with pytest.raises(BusyError):
                one.hold(1)
            two.hold(100)
            with pytest.raises(BusyError):
                two.hold(1)
        with admissions.admit("b") as again:
            again.hold(200)

    def test_a_body_has_to_keep_a_rate_and_to_end(self):
        limits = Limits(1_000_000)

        assert limits.seconds_left(0, 2.9) > 0 > limits.seconds_left(0, 3.1)
        assert limits.seconds_left(4_096, 6.9) > 0 > limits.seconds_left(4_096, 7.1)
        assert limits.seconds_left(900_000, 9.9) > 0 > limits.seconds_left(900_000, 10.1)
