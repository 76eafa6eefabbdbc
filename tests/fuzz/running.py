"""A run: requests from a seed, some at a time, and what came of them."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.fuzz import grammar_api, grammar_pages, shrinking, verdicts
from tests.fuzz.client import Answer, Client
from tests.fuzz.parts import Known, Maker
from tests.fuzz.requests import Access, Request

#: An operator page costs a desk ten times what an answer of the API does.
_PAGES_SHARE = 0.09
_CLIENTS = 4
_SLOWEST_KEPT = 10
_SHRUNK_FAILURES = 5


@dataclass(frozen=True)
class Plan:
    """How much to send.

    Attributes:
        seed: of it and its number, each request is made.
        requests: how many, None for as many as fit into the time.
        seconds: how long, None for as long as the requests take.
    """

    seed: int
    requests: int | None = None
    seconds: float | None = None


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        sent: how many requests were answered.
        seconds: how long the run took.
        statuses: answers by route and the first digit of their status.
        slowest: seconds and route of the slowest answers.
        memory: samples of the server's memory in bytes, by the number of requests before.
        failures: the first request of each kind of failure by route and problem; how often it came is in ``counts``.
        counts: how often each failure came.
    """

    sent: int = 0
    seconds: float = 0.0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    memory: list[tuple[float, int]] = field(default_factory=list)
    failures: dict[tuple[str, str], Request] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def fail(self, request: Request, problem: str) -> None:
        """Count a failure, and keep the first request of its kind."""
        self.failures.setdefault((request.route, problem), request)
        self.counts[request.route, problem] += 1


def made(seed: int, number: int, known: Known) -> Request:
    """The request of that number."""
    rng = Random(f"{seed}:{number}")
    makers = grammar_pages.MAKERS if rng.random() < _PAGES_SHARE else grammar_api.MAKERS
    return _drawn(rng, makers)(rng, known)


def _drawn(rng: Random, makers: list[tuple[int, Maker]]) -> Maker:
    return rng.choices([maker for _, maker in makers], [weight for weight, _ in makers])[0]


class Run:
    """Sends the requests of a plan."""

    def __init__(
        self,
        plan: Plan,
        access: Access,
        make: Callable[[int], Request],
        plant: Callable[[Request], None] = lambda request: None,
        memory: Callable[[], int] | None = None,
    ) -> None:
        """Prepare a run.

        Args:
            plan: how much to send.
            access: what opens the desk.
            make: makes the request of a number.
            plant: puts in place what a request reads.
            memory: tells the memory of the server in bytes.
        """
        self._plan, self._access, self._make, self._plant, self._memory = plan, access, make, plant, memory
        self._sample_every = max(20, (plan.requests or 0) // 200) if plan.requests else 200
        self._lock, self._next = threading.Lock(), 0
        # What is put in place for a request must stay there until it is answered.
        self._planting = threading.Lock()
        self._suspects: list[Request] = []
        self.outcome = Outcome()

    def carry_out(self) -> Outcome:
        """Send everything, then repeat alone what seemed slow, and cut down what failed."""
        self._began = time.monotonic()
        threads = [threading.Thread(target=self._send_many) for _ in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.outcome.seconds = time.monotonic() - self._began
        self._sample()
        self._repeat_suspects()
        self._shrink()
        return self.outcome

    def _send_many(self) -> None:
        client = Client(self._access)
        while (number := self._take()) is not None:
            request = self._make(number)
            self._note(request, self._send(client, request))
        client.close()

    def _take(self) -> int | None:
        """The number of the next request, None when there is none left to send."""
        with self._lock:
            number = self._next
            if self._plan.requests is not None and number >= self._plan.requests:
                return None
            if self._plan.seconds is not None and time.monotonic() - self._began > self._plan.seconds:
                return None
            self._next += 1
            if number % self._sample_every == 0:
                self._sample()
            return number

    def _sample(self) -> None:
        if self._memory is not None:
            self.outcome.memory.append((self._next, self._memory()))

    def _note(self, request: Request, answer: Answer) -> None:
        with self._lock:
            outcome = self.outcome
            outcome.sent += 1
            outcome.statuses[request.route, answer.status // 100] += 1
            outcome.slowest = sorted([*outcome.slowest, (answer.seconds, request.route)], reverse=True)[:_SLOWEST_KEPT]
            if problem := verdicts.problem_of(request, answer):
                outcome.fail(request, problem)
            if verdicts.is_slow(answer):
                self._suspects.append(request)

    def _repeat_suspects(self) -> None:
        """Send what was slow once more, three times and with nothing beside it, and take the best of these times."""
        client = Client(self._access)
        for request in self._suspects:
            if all(verdicts.is_slow(self._send(client, request)) for _ in range(3)):
                self.outcome.fail(request, verdicts.SLOW)
        client.close()

    def _send(self, client: Client, request: Request) -> Answer:
        if request.planted is None:
            return client.send(request)
        with self._planting:
            self._plant(request)
            return client.send(request)

    def _shrink(self) -> None:
        client = Client(self._access)
        for kind in list(self.outcome.failures)[:_SHRUNK_FAILURES]:
            problem = kind[1]

            def fails(request: Request, problem: str = problem) -> bool:
                answer = self._send(client, request)
                found = verdicts.SLOW if verdicts.is_slow(answer) else verdicts.problem_of(request, answer)
                return found == problem

            self.outcome.failures[kind] = shrinking.smallest(self.outcome.failures[kind], fails)
        client.close()
