"""Slow clients, and bodies that are too large, too slow or of unknown length: none of them stops a desk."""

import asyncio
import json
import socket
import statistics
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.e2e.desk import Desk, wait_for
from tests.factories import quick_order_event
from tests.faults.slow_clients import ask, capture_request, crowd, seconds_of
from tests.http_client import HTTP

GET = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
DOWNLOAD = "/admin/reports/feeds/quick_order/csv?rows=all"
LIMIT = 2_621_440
CHUNKED = b"POST /api/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A desk that runs through all tests of the module."""
    desk = Desk(tmp_path_factory.mktemp("slow") / "var").start()
    yield desk
    desk.stop()


@pytest.fixture(scope="module")
def cookie(desk):
    """What opens the downloads, of which there is enough for no socket to hold it."""
    for _ in range(10):
        events = [quick_order_event(metadata={"note": "x" * 700}) for _ in range(500)]
        HTTP.post(f"{desk.url}/api/telemetry", json=events).raise_for_status()
    with closing(desk.operator()) as operator:
        assert len(operator.get(DOWNLOAD).content) > 1_000_000
        return f"sessionid={operator.cookies['sessionid']}"


def said(desk: Desk, *parts: bytes) -> tuple[int, bytes, bytes]:
    """Send a request in parts."""
    return asyncio.run(ask(desk.port, b"".join(parts)))


def stored(desk: Desk, event: dict) -> bool:
    """Whether the database holds the event."""
    with desk.database() as session:
        found = session.execute("SELECT 1 FROM telemetry_quickorderevent WHERE event_id = %s", [event["id"]])
        return found.fetchone() is not None


async def _times(port: int, repeats: int) -> dict[str, list[float]]:
    requests = {
        "healthz": GET.format("/healthz").encode(),
        "page": GET.format("/admin/login/").encode(),
        "capture": capture_request(),
    }
    return {name: await seconds_of(port, request, repeats) for name, request in requests.items()}


async def _before_and_during(desk: Desk, cookie: str) -> tuple[dict[str, float], dict[str, float]]:
    """The median times of a desk at rest and beside the crowd, each the best of three rounds: noise only adds."""
    before = _best([await _times(desk.port, 20) for _ in range(3)])
    async with crowd(desk.port, 500, DOWNLOAD, cookie):
        await _settled(desk.port, 10 * before["healthz"])
        during = _best([await _times(desk.port, 20) for _ in range(3)])
    return before, during


def _best(rounds: list[dict[str, list[float]]]) -> dict[str, float]:
    return {name: min(statistics.median(times[name]) for times in rounds) for name in rounds[0]}


async def _settled(port: int, usual: float) -> None:
    """Return when the desk has made the beginnings of all downloads, which is work that nobody can save it."""
    in_turn = 0
    async with asyncio.timeout(60):
        while in_turn < 20:
            (seconds,) = await seconds_of(port, GET.format("/healthz").encode(), 1)
            in_turn = in_turn + 1 if seconds < usual else 0


def test_fifteen_hundred_slow_clients_leave_everyone_else_their_usual_time(desk, cookie):
    before, during = asyncio.run(_before_and_during(desk, cookie))

    for name, usual in before.items():
        assert during[name] < 10 * usual, name


def test_one_address_has_a_hundred_requests_under_way_and_the_others_go_on(desk):
    # Begun so far that the rest may take the whole 10 seconds; a busy desk may end some before it takes the last.
    head = f"POST /api/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {LIMIT}\r\n\r\n"
    unfinished = head.encode() + b" " * 20_000
    with ExitStack() as sockets, httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.9")) as neighbour:

        def refused() -> httpx.Response | None:
            for _ in range(100):
                sock = socket.create_connection(("127.0.0.1", desk.port), source_address=("127.0.0.9", 0))
                sockets.enter_context(sock).sendall(unfinished)
            answer = neighbour.get(f"{desk.url}/", timeout=30)
            return answer if answer.status_code == 503 else None

        assert wait_for(refused).headers["retry-after"] == "5"
        assert neighbour.get(f"{desk.url}/healthz").json() == {"status": "alive"}
        assert said(desk, capture_request())[0] == 202


def test_a_body_that_drips_gets_a_408_and_its_connection_ends(desk):
    with socket.create_connection(("127.0.0.1", desk.port), timeout=20) as sock:
        sock.sendall(b"POST /api/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx")
        answer = b"".join(iter(lambda: sock.recv(4_096), b""))

    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["detail"] == "The body did not arrive in time."


@pytest.mark.parametrize("length", [f"Content-Length: {LIMIT + 1}\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"])
def test_a_body_over_the_limit_gets_a_413_after_it_was_sent(desk, length):
    content = b" " * (LIMIT + 1)
    framed = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content) if "chunked" in length else content
    head = f"POST /api/telemetry HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}".encode()

    status, _, answer = said(desk, head, framed)

    assert (status, json.loads(answer)["detail"]) == (413, f"The body is larger than {LIMIT} bytes.")


def test_a_client_that_asks_before_it_sends_is_told_at_once(desk):
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: {LIMIT + 1}\r\n\r\n"

    status, headers, _ = said(desk, head.encode())

    assert status == 413
    assert b"connection: close" in headers


def test_a_chunked_event_is_stored(desk):
    event = quick_order_event()
    body = json.dumps(event).encode()
    halves = (body[:100], body[100:], b"")

    status, _, answer = said(desk, CHUNKED, *(b"%x\r\n%s\r\n" % (len(part), part) for part in halves))

    assert (status, json.loads(answer)["accepted"]) == (202, 1)
    assert stored(desk, event)


def test_a_connection_is_good_for_the_next_request_after_every_refusal(desk):
    with httpx.Client(base_url=desk.url) as client:
        statuses = [
            client.post("/api/telemetry", content=b"[" * 100_000).status_code,
            client.post("/api/telemetry", content=b"x" * 1_048_577).status_code,
            client.post("/nowhere", content=b"x" * 500_000).status_code,
            client.put("/api/telemetry", content=b"x" * 500_000).status_code,
            client.post("/api/telemetry", json=quick_order_event()).status_code,
        ]
        (connection,) = client._transport._pool.connections  # type: ignore[attr-defined]

    assert statuses == [400, 413, 404, 405, 202]
    assert connection._connection._request_count == 5


def test_a_reader_who_goes_away_leaves_the_rest_unmade(desk, cookie):
    with HTTP.stream("GET", desk.url + DOWNLOAD, headers={"Cookie": cookie}) as answer:
        next(answer.iter_bytes())

    web = next(process for process in desk.processes() if "granian" in process.cmdline())
    parts = [web, *web.children()]
    wait_for(lambda: not any(file for part in parts for file in part.open_files() if "(deleted)" in file.path), 60)
