"""One run of the checker: clients, faults one after the other, and what came of it."""

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from tests.faults.checker import check, recovery
from tests.faults.checker.feeds import FEEDS
from tests.faults.checker.history import Attempt, Injection
from tests.faults.checker.nemesis import Fault, drawn, faults
from tests.faults.checker.observed import Observed, loaded, received
from tests.faults.checker.workload import Log, Workload
from tests.faults.checker.world import World

# Models cannot be imported before Django is set up.
_GATHER = "import django; django.setup(); from tests.faults.checker import gather; gather.main()"


@dataclass
class Result:
    """What a run came to.

    Attributes:
        attempts: every request of the clients.
        injections: the faults, in their order.
        observed: what was found in the end, by feed.
        problems: what is not as promised.
    """

    attempts: list[Attempt] = field(default_factory=list)
    injections: list[Injection] = field(default_factory=list)
    observed: dict[str, Observed] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def carry_out(world: World, seed: int, seconds: float, now: Callable[[], float], say: Callable[[str], None]) -> Result:
    """Injure a desk for a while, let it come to rest, and look.

    Args:
        world: the desk.
        seed: decides on the faults and on what the clients send.
        seconds: how long new faults begin.
        now: the seconds since the run began.
        say: called with a line on how it goes.
    """
    log = Log(now)
    result = Result(log.attempts)
    with Workload(seed, world.urls, log):
        say(f"{now():6.1f} s  The desk runs.")
        end = now() + seconds
        for fault, duration in drawn(seed, faults(world)):
            result.injections.append(_injected(world, fault, duration, now, log))
            say(_line(result.injections[-1]))
            if now() > end:
                break
    say(f"{now():6.1f} s  Waiting until everything is exported.")
    result.problems += recovery.wait_until_exported(world.desk) + recovery.long_pauses(world.desk)
    say(f"{now():6.1f} s  Looking at what there is.")
    result.observed = _observed(world)
    result.problems += _not_recovered(result.injections) + check.problems(result.attempts, result.observed)
    return result


def _not_recovered(injections: list[Injection]) -> list[str]:
    return [
        f"after {injection.fault}: no {sign} within {recovery.MAX_SECONDS:.0f} s"
        for injection in injections
        for sign, seconds in injection.recovery.items()
        if seconds is None
    ]


def _injected(world: World, fault: Fault, seconds: float, now: Callable[[], float], log: Log) -> Injection:
    injection = Injection(fault.name, now())
    fault.begin()
    if fault.heal is not None:
        threading.Event().wait(seconds)
        fault.heal()
    injection.healed = now()
    injection.recovery = recovery.measure(world.desk, log)
    return injection


def _line(injection: Injection) -> str:
    signs = ", ".join(
        f"{sign} {'never' if seconds is None else f'{seconds:.1f} s'}" for sign, seconds in injection.recovery.items()
    )
    return f"{injection.begun:6.1f} s  {injection.fault}: {signs}"


def _observed(world: World) -> dict[str, Observed]:
    path = world.folder / "observed.json"
    world.run("-c", _GATHER, str(path))
    found = loaded(path.read_text())
    webhook = received(
        world.messages(), {feed.webhook_list: feed.wire_key for feed in FEEDS.values() if feed.webhook_list}
    )
    for key, feed in FEEDS.items():
        if feed.webhook_list:
            found[key].webhook = webhook[feed.webhook_list]
    return found


def write_history(world: World, result: Result) -> None:
    """Keep what clients saw and which faults there were beside what was found."""
    history = {
        "injections": [asdict(injection) for injection in result.injections],
        "attempts": [asdict(attempt) for attempt in result.attempts],
        "problems": result.problems,
    }
    (world.folder / "history.json").write_text(json.dumps(history))
