"""The faults, and the seeded schedule by which they come."""

import random
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psutil

from tests.e2e.desk import PROGRAMS, wait_for
from tests.faults.checker import clock
from tests.faults.checker.proxy import HTTP_MODES, TCP_MODES, Mode
from tests.faults.checker.world import World

_MIN_SECONDS, _MAX_SECONDS = 2.0, 5.0
_HOUR_SECONDS = 3_600.0
_NEIGHBOURS = {
    "S3": (("S3",), HTTP_MODES),
    "webhook": (("webhook",), HTTP_MODES),
    "Slack and forwarding": (("Slack", "forwarding"), HTTP_MODES),
    "Redis": (("Redis",), TCP_MODES),
}


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: what the report calls it.
        part: the part of the world that it injures; two faults of one part do not come at once.
        begin: brings it about.
        heal: takes it away; None for one that is over at once, such as a kill.
        comes_alone: whether it takes the rest of the world to be well, as a start does.
    """

    name: str
    part: str
    begin: Callable[[], None]
    heal: Callable[[], None] | None = None
    comes_alone: bool = False


def drawn(seed: int, faults: Sequence[Fault]) -> Iterator[tuple[Fault, float]]:
    """Faults without end, with the seconds for which they last: each one alone, then all in pairs, and so on.

    The same seed and faults give the same schedule.
    """
    chance = random.Random(seed)
    while True:
        alone, others = chance.sample(faults, len(faults)), chance.sample(faults, len(faults))
        pairs = [_both(one, other) for one, other in zip(alone, others, strict=True) if _go_together(one, other)]
        for fault in (*alone, *pairs):
            yield fault, chance.uniform(_MIN_SECONDS, _MAX_SECONDS)


def _go_together(one: Fault, other: Fault) -> bool:
    return one.part != other.part and not (one.comes_alone or other.comes_alone)


def _both(one: Fault, other: Fault) -> Fault:
    def begin() -> None:
        one.begin()
        other.begin()

    def heal() -> None:
        for fault in (other, one):
            if fault.heal is not None:
                fault.heal()

    name, part = f"{one.name}, and {other.name}", f"{one.part}, {other.part}"
    return Fault(name, part, begin, heal if one.heal or other.heal else None)


def faults(world: World) -> list[Fault]:
    """Every fault that can be brought about here."""
    return [
        *(_killed(world, name) for name in PROGRAMS),
        *(_stopped(world, name) for name in PROGRAMS),
        _launcher_killed(world),
        _database_ended(world, "kill -9 of the database", signal.SIGKILL),
        _database_ended(world, "database stop -m immediate", signal.SIGQUIT),
        *(_spoilt(world, neighbour, mode) for neighbour, (_, modes) in _NEIGHBOURS.items() for mode in modes),
        *([_disk_full(world)] if world.small_disk else []),
        _clock_stepped(world, "clock an hour ahead", _HOUR_SECONDS),
        _clock_stepped(world, "clock an hour behind", -_HOUR_SECONDS),
        _migrated(world),
        _second_desk(world),
    ]


def _running(world: World, name: str) -> psutil.Process:
    process: psutil.Process = wait_for(lambda: world.desk.program(name))
    return process


def _killed(world: World, name: str) -> Fault:
    def begin() -> None:
        process = _running(world, name)
        process.kill()
        process.wait(10)

    return Fault(f"kill -9 of the {name}", name, begin)


def _stopped(world: World, name: str) -> Fault:
    stopped: list[psutil.Process] = []

    def begin() -> None:
        process = _running(world, name)
        stopped[:] = [process, *process.children(recursive=True)]
        for part in stopped:
            part.suspend()

    def heal() -> None:
        for part in stopped:
            # The desk may have replaced it by then.
            with suppress(psutil.NoSuchProcess):
                part.resume()

    return Fault(f"SIGSTOP of the {name}", name, begin, heal)


def _launcher_killed(world: World) -> Fault:
    def begin() -> None:
        assert world.desk.process is not None
        world.desk.process.kill()
        world.desk.process.wait(10)
        # The recovery is counted from the kill, so nobody waits here until the desk runs again.
        threading.Thread(target=world.desk.start).start()

    return Fault("kill -9 of the launcher", "launcher", begin, comes_alone=True)


def _database_ended(world: World, name: str, number: int) -> Fault:
    def begin() -> None:
        postmaster = wait_for(world.desk.postmaster)
        postmaster.send_signal(number)
        postmaster.wait(10)

    return Fault(name, "database", begin)


def _spoilt(world: World, neighbour: str, mode: Mode) -> Fault:
    def set_all(to: Mode) -> None:
        for name in _NEIGHBOURS[neighbour][0]:
            world.proxies[name].set(to)

    return Fault(f"{neighbour}: {mode}", neighbour, partial(set_all, mode), partial(set_all, Mode.PASS))


def _disk_full(world: World) -> Fault:
    assert world.small_disk is not None
    return Fault("disk of the database full", "disk", world.small_disk.fill, world.small_disk.relieve)


def _clock_stepped(world: World, name: str, seconds: float) -> Fault:
    return Fault(name, "clock", partial(clock.step, world.clock, seconds), partial(clock.step, world.clock, 0.0))


def _migrated(world: World) -> Fault:
    """Columns are added to the tables that old code writes to, and dropped again."""

    def migrate(to: str) -> None:
        world.run("manage.py", "migrate", "newer", to, settings="tests.faults.checker.newer.settings")

    return Fault(
        "migration while old code runs", "schema", partial(migrate, "0001"), partial(migrate, "zero"), comes_alone=True
    )


def _second_desk(world: World) -> Fault:
    desk = world.second_desk()

    def begin() -> None:
        desk.var_dir.parent.mkdir(exist_ok=True)
        world.urls.append(desk.start().url)

    def heal() -> None:
        world.urls.remove(desk.url)
        desk.stop()

    return Fault("two desks on one database", "second desk", begin, heal, comes_alone=True)
