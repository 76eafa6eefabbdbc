"""The desk that is fuzzed: filled with rows of every feed, each exported once."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import psutil
import psycopg

from tests.e2e.desk import API_KEY, Desk, wait_for
from tests.factories import experiment, quick_order_event, workflow_event
from tests.fakes import FakeServer, Reply, fake_server
from tests.fuzz import grammar_pages
from tests.fuzz.parts import Known
from tests.fuzz.requests import Access, Request

SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
_ROWS = 20
_SET_STATUS = (
    "UPDATE reporting_exportrun SET status = %s::jsonb WHERE id = (SELECT id FROM reporting_exportrun"
    " WHERE feed = 'quick_order' AND object_uri <> '' ORDER BY created_at DESC LIMIT 1)"
)
_KEYS = {
    "quick_order": "SELECT event_id FROM telemetry_quickorderevent",
    "guardrail_workflow": "SELECT event_id FROM telemetry_guardrailworkflowevent",
    "onboarding_segments": "SELECT event_id FROM reporting_pricingexperimentsegment",
    "guardrail_followups": "SELECT follow_up_id FROM provider_guardrail_followup",
}


class Target:
    """A desk with what is known of it.

    Attributes:
        desk: the desk.
        access: what opens it.
        known: what it holds.
    """

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        with closing(desk.client()) as client:
            _fill(client)
            cursors = list(_cursors(client))
        with closing(desk.operator()) as operator:
            _export(desk, operator)
            cookies = operator.cookies
            self.access = Access(API_KEY, cookies["sessionid"], cookies["csrftoken"], SECRET, desk.url)
        self._session, self._lock = desk.database(), Lock()
        self._session.autocommit = True
        self.known = _known(self._session, cursors)
        self._web = [process for process in desk.processes() if "granian" in " ".join(process.cmdline())]

    def plant(self, request: Request) -> None:
        """Put in place what ``request`` reads; nothing where no column holds it."""
        planted = request.planted
        if planted is None:
            return
        if planted.where != "status":
            Path(planted.where).write_bytes(planted.content)
            return
        with self._lock:
            try:
                self._session.execute(_SET_STATUS, [planted.content.decode()])
            except (psycopg.DataError, UnicodeDecodeError):
                self._session.execute(_SET_STATUS, ["{}"])

    def memory(self) -> int:
        """What the web processes hold of the machine's memory, in bytes."""
        return sum(process.memory_info().rss for process in self._web)

    def has_lost_processes(self) -> bool:
        """Whether a web process has died, or was replaced."""
        return not all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in self._web)

    def close(self) -> None:
        """Let go of the desk, which is left running."""
        self._session.close()


@contextmanager
def target(var_dir: Path, seed: int) -> Iterator[Target]:
    """A desk of its own for the time of the block; the statuses that it reads by URL are made up anew for each read."""
    with fake_server() as statuses:
        _answer_with_documents(statuses, seed)
        desk = Desk(
            var_dir,
            ANALYTICS_WEBHOOK_SECRET=SECRET,
            # Each request comes from an address of its own, so that what is limited by address is not what is tried.
            TRUSTED_PROXIES="1",
            GUARDRAIL_WORKFLOW_EXPORT_STATUS_URL=f"{statuses.url}/status",
            GUARDRAIL_EXPORT_STATUS_URL=f"{statuses.url}/status",
            LOG_LEVEL="ERROR",
        ).start()
        try:
            with closing(Target(desk)) as filled:
                yield filled
        finally:
            desk.stop()


def _answer_with_documents(server: FakeServer, seed: int) -> None:
    rng = Random(seed)

    class Documents:
        """Replies without an end."""

        def __bool__(self) -> bool:
            return True

        def popleft(self) -> Reply:
            return Reply(rng.choice((200, 200, 200, 204, 302, 500)), grammar_pages.document(rng, grammar_pages.STATUS))

    server.replies = Documents()  # type: ignore[assignment]


def _fill(client: httpx.Client) -> None:
    events = [make() for make in (quick_order_event, workflow_event) for _ in range(_ROWS)]
    client.post("/api/telemetry", json=events).raise_for_status()
    for number in range(_ROWS):
        body: dict[str, Any] = {"experiments": [experiment(f"offer-{number}")], "orderNumber": f"S-{number}"}
        path = f"/api/v1/orders/00000000-0000-0000-0000-{number + 100:012}/onboarding/pricing-experiments"
        client.post(path, json=body).raise_for_status()
        follow_up = {"providerId": f"provider-{number % 3}", "action": "pause"}
        client.post("/api/v1/reporting/guardrails/followups", json=follow_up).raise_for_status()


def _cursors(client: httpx.Client) -> Iterator[str]:
    for path in ("onboarding/experiment-events", "onboarding/experiment-conversions", "guardrails/followups"):
        for limit in (1, 2, 3):
            answer = client.get(f"/api/v1/reporting/{path}?limit={limit}").raise_for_status()
            yield str(answer.json()["nextCursor"])


def _export(desk: Desk, operator: httpx.Client) -> None:
    for feed in _KEYS:
        desk.start_run(operator, feed)

    def succeeded() -> bool:
        with closing(desk.database()) as session:
            query = "SELECT count(*) FROM reporting_exportrun WHERE state = 'succeeded'"
            return session.execute(query).fetchone() == (len(_KEYS),)

    wait_for(succeeded)


def _known(session: psycopg.Connection, cursors: list[str]) -> Known:
    known = Known(cursors=cursors, providers=["provider-0", "provider-1", "provider-2"])
    for feed, query in _KEYS.items():
        known.keys[feed] = sorted(str(key) for (key,) in session.execute(query).fetchall())
    known.orders = [f"00000000-0000-0000-0000-{number + 100:012}" for number in range(_ROWS)]
    runs = "SELECT id, object_uri, status::text FROM reporting_exportrun WHERE object_uri <> '' ORDER BY feed"
    for run_id, uri, status in session.execute(runs).fetchall():
        known.runs.append(str(run_id))
        known.manifests.append(f"{unquote(urlsplit(uri).path)}.manifest.json")
        known.tokens += re.findall(r"/lake/([^\"?]+)", status or "")
    return known
