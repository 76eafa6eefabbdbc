"""What a run says of itself, as Markdown."""

from collections import defaultdict

from tests.fuzz import verdicts
from tests.fuzz.requests import Access, curl
from tests.fuzz.running import Outcome, Plan

_MIB = 1_048_576
_CLASSES = (2, 3, 4, 5)


def report(plan: Plan, outcome: Outcome) -> str:
    """The page of a run: what was sent, what came back, the slowest, the memory, and what failed."""
    return "\n".join(
        [
            "<!-- Written by `make fuzz`. -->",
            "",
            "# Hostile input",
            "",
            f"`make fuzz` with seed {plan.seed}: {outcome.sent:,} requests in {outcome.seconds / 60:.1f} minutes, "
            f"{outcome.sent / max(outcome.seconds, 0.001):.0f} a second, {_verdict(outcome)}.",
            "",
            "A request fails where it is answered by a 5xx (but `/readyz` by a 503), by HTML from the API, not at all, "
            f"or later than after {verdicts.MAX_SECONDS:.0f} s (sent again alone, three times). The web processes fail "
            f"where the line through the second half of their memory grows by more than "
            f"{verdicts.MAX_GROWTH_BYTES // _MIB} MiB.",
            "",
            *_memory(outcome),
            "",
            *_slowest(outcome),
            "",
            *_routes(outcome),
            "",
        ]
    )


def failures(outcome: Outcome, access: Access) -> str:
    """Each kind of failure with the smallest request that shows it, as a command of a shell."""
    return "\n\n".join(
        f"{route}: {problem} ({outcome.counts[route, problem]:,} times)\n{curl(request, access)}"
        for (route, problem), request in outcome.failures.items()
    )


def _verdict(outcome: Outcome) -> str:
    count = outcome.counts.total()
    return "none failed" if count == 0 else f"{count:,} failed"


def _memory(outcome: Outcome) -> list[str]:
    samples = outcome.memory or [(0, 0)]
    start, middle, end = (samples[at][1] / _MIB for at in (0, len(samples) // 2, -1))
    flat = "grows" if verdicts.leaks(samples) else "is flat"
    return [
        "## Memory of the web processes",
        "",
        f"{start:.0f} MiB at the start, {middle:.0f} in the middle, {end:.0f} at the end. "
        f"The line through the second half grows by {verdicts.growth(samples) / _MIB:.1f} MiB: it {flat}.",
    ]


def _slowest(outcome: Outcome) -> list[str]:
    rows = [f"| {seconds:.2f} | `{route}` |" for seconds, route in outcome.slowest]
    return ["## Slowest answers, under load", "", "| Seconds | Route |", "| --- | --- |", *rows]


def _routes(outcome: Outcome) -> list[str]:
    by_route: dict[str, dict[int, int]] = defaultdict(dict)
    for (route, status_class), count in outcome.statuses.items():
        by_route[route][status_class] = count
    rows = [
        f"| `{route}` | {' | '.join(f'{counts.get(number, 0):,}' for number in _CLASSES)} |"
        for route, counts in sorted(by_route.items())
    ]
    return ["## Answers by route", "", "| Route | 2xx | 3xx | 4xx | 5xx |", "| --- | --- | --- | --- | --- |", *rows]
