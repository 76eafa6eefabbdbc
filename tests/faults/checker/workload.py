"""Clients that capture and record, and note what they were answered."""

import random
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx

from tests.e2e.desk import API_KEY
from tests.factories import quick_order_event, workflow_event
from tests.faults.checker.history import Attempt, Outcome

_TIMEOUT_SECONDS = 5.0
_PAUSE_SECONDS = 0.08
_BATCH_EVENTS = 10
_MAX_REPEATS = 3
_KEYED = {"X-API-Key": API_KEY}


class Log:
    """The attempts of all clients.

    Args:
        now: the seconds since the run began.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.attempts: list[Attempt] = []
        self._now = now

    def post(
        self, client: httpx.Client, url: str, feed: str, tokens: Sequence[str], body: object, **headers: str
    ) -> Outcome:
        """Send a request, and note what became of it."""
        begun = self._now()
        try:
            answer = client.post(url, json=body, headers=headers)
        except httpx.HTTPError as error:
            # A connection that was never made has carried nothing.
            is_sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            outcome, said = Outcome.UNKNOWN if is_sent else Outcome.REFUSED, type(error).__name__
        else:
            outcome, said = _outcome(answer), str(answer.status_code)
        self.attempts.append(Attempt(feed, tuple(tokens), outcome, said, begun, self._now()))
        return outcome


def _outcome(answer: httpx.Response) -> Outcome:
    if answer.is_success:
        # Of a batch of which a part was rejected, the client knows nothing it could rely on.
        return Outcome.UNKNOWN if answer.json().get("rejected") else Outcome.ACKNOWLEDGED
    return Outcome.REFUSED if answer.is_client_error else Outcome.UNKNOWN


def _now() -> str:
    return datetime.now(UTC).isoformat()


class Client(threading.Thread):
    """One client, which sends one request after the other until it is asked to stop.

    Args:
        seed: decides on what it sends.
        urls: the desks that there are; may change.
        log: where it notes what became of it.
        is_over: set when it has to stop.
    """

    def __init__(self, seed: str, urls: Sequence[str], log: Log, is_over: threading.Event) -> None:
        super().__init__(name=f"client {seed}", daemon=True)
        self._chance, self._urls, self._log, self._is_over = random.Random(seed), urls, log, is_over
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS)

    def run(self) -> None:
        kinds = (self._event, self._batch, self._twice, self._segment, self._follow_up)
        with self._http:
            while not self._is_over.wait(_PAUSE_SECONDS):
                self._chance.choices(kinds, weights=(60, 12, 8, 10, 10))[0]()

    def _url(self, path: str) -> str:
        return self._chance.choice(self._urls) + path

    def _new_event(self) -> tuple[str, dict]:
        if self._chance.random() < 0.7:
            return "quick_order", quick_order_event(recordedAt=_now())
        return "guardrail_workflow", workflow_event(recordedAt=_now())

    def _event(self) -> None:
        feed, event = self._new_event()
        self._insist(feed, [event["id"]], event)

    def _batch(self) -> None:
        events = [quick_order_event(recordedAt=_now()) for _ in range(_BATCH_EVENTS)]
        self._insist("quick_order", [event["id"] for event in events], events)

    def _twice(self) -> None:
        """Send one event to each capture route, as the storefront does."""
        event = quick_order_event(recordedAt=_now())
        for path in ("/api/telemetry", "/api/telemetry/quick-order"):
            self._log.post(self._http, self._url(path), "quick_order", [event["id"]], event)

    def _insist(self, feed: str, tokens: list[str], body: object) -> None:
        """Capture, and now and then again where it is not known whether that worked, as browsers do."""
        for _ in range(_MAX_REPEATS):
            outcome = self._log.post(self._http, self._url("/api/telemetry"), feed, tokens, body)
            if outcome is Outcome.ACKNOWLEDGED or self._chance.random() < 0.5:
                return

    def _segment(self) -> None:
        order = str(uuid.uuid4())
        experiment = {"slug": self._chance.choice(["spring", "summer"]), "variantKey": "bundle", "isControl": False}
        path = f"/api/v1/orders/{order}/onboarding/pricing-experiments"
        body = {"experiments": [{**experiment, "status": "running"}]}
        self._log.post(self._http, self._url(path), "onboarding_segments", [order], body, **_KEYED)

    def _follow_up(self) -> None:
        notes = str(uuid.uuid4())
        body = {"providerId": f"provider-{self._chance.randrange(20)}", "action": "pause", "notes": notes}
        headers = {**_KEYED, "Idempotency-Key": notes}
        for _ in range(_MAX_REPEATS):
            url = self._url("/api/v1/reporting/guardrails/followups")
            if self._log.post(self._http, url, "guardrail_followups", [notes], body, **headers) != Outcome.UNKNOWN:
                return


def probe(url: str, log: Log) -> bool:
    """Capture one event on a connection of its own, and return whether it was acknowledged."""
    event = quick_order_event(recordedAt=_now())
    with httpx.Client(timeout=2) as client:
        return log.post(client, f"{url}/api/telemetry", "quick_order", [event["id"]], event) is Outcome.ACKNOWLEDGED


class Workload:
    """Several clients, for the time of the block.

    Args:
        seed: decides on what they send.
        urls: the desks that there are; may change.
        log: where they note what became of it.
    """

    def __init__(self, seed: int, urls: Sequence[str], log: Log, clients: int = 4) -> None:
        self._is_over = threading.Event()
        self._clients = [Client(f"{seed}-{number}", urls, log, self._is_over) for number in range(clients)]

    def __enter__(self) -> None:
        for client in self._clients:
            client.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for client in self._clients:
            client.join()
