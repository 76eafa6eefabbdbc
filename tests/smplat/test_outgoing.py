"""Requests to other servers end in time, whatever those do."""

import time

import httpx
import pytest

from smplat.lib import outgoing
from tests.fakes import Reply, dripping, fake_server, mute, tcp_server

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n"


def ask(address: str, **changes) -> outgoing.Answer:
    return outgoing.ask("POST", f"http://{address}/", **{"timeout": 0.2, "max_bytes": 1_000_000, **changes})


@pytest.mark.parametrize(
    ("server", "content"),
    [
        (mute, b"{}"),
        (mute, b"x" * 30_000_000),
        (dripping(b"", b"HTTP/1.1 200 OK\r\n"), b"{}"),
        (dripping(HEAD, b"X: y\r\n"), b"{}"),
        (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), b"{}"),
    ],
    ids=["no answer", "a body is not taken", "a dripping status line", "dripping headers", "informational answers"],
)
def test_an_answer_that_does_not_come_in_time_is_given_up(server, content):
    with tcp_server(server) as address:
        began = time.monotonic()

        with pytest.raises(httpx.TransportError):
            ask(address, content=content)

    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "server",
    [
        dripping(HEAD + b"\r\n", b"x"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["with a length", "chunked"],
)
def test_a_dripping_body_is_cut_off(server):
    with tcp_server(server) as address:
        began = time.monotonic()

        answer = ask(address)

    assert time.monotonic() - began < 10
    assert answer.is_success
    assert not answer.is_complete
    assert 0 < len(answer.body) < 100


def test_a_body_is_read_up_to_the_limit():
    with fake_server() as server:
        server.usual = Reply(body=b"12345")
        address = server.url.removeprefix("http://")

        assert (ask(address, max_bytes=5).body, ask(address, max_bytes=5).is_complete) == (b"12345", True)
        assert (ask(address, max_bytes=4).body, ask(address, max_bytes=4).is_complete) == (b"1234", False)


def test_a_redirect_is_not_followed():
    with fake_server() as server:
        server.usual = Reply(302, headers={"Location": "/elsewhere"})

        assert ask(server.url.removeprefix("http://")).status == 302
        assert len(server.heard) == 1
