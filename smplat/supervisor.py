"""Keeps a few programs running and answering, and ends them all together."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import FrameType
from typing import Protocol

#: A program that has not answered for so long is replaced; one that has just started gets this time twice.
MAX_SILENCE = timedelta(seconds=30)
_RESTART_PAUSE_SECONDS = 2.0
_STOP_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.1
_PROBE_PAUSE_SECONDS = 3.0
# From Linux' sys/prctl.h: the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG = 1


class Program(Protocol):
    """A program that has to run and to answer."""

    name: str

    def start(self) -> None:
        """Start it."""

    def has_ended(self) -> bool:
        """Whether it is not running."""

    def answers(self) -> bool:
        """Ask it for a sign of life; may take seconds, and is called from a thread of its own."""

    def kill(self) -> None:
        """Kill it, and everything that it has started."""


@dataclass
class Child:
    """A program that has to run as a child of this process.

    Attributes:
        name: what people call it.
        command: its command line.
        probe: asks it for a sign of life.
        death_signal: what it gets when this process ends in whatever way, so that it does not outlive it.
    """

    name: str
    command: list[str]
    probe: Callable[[], bool] = lambda: True
    death_signal: int = signal.SIGKILL
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the program in a process group of its own, so that its own children end with it."""
        self.process = subprocess.Popen(self.command, start_new_session=True, preexec_fn=self._follow_the_parent)

    def _follow_the_parent(self) -> None:
        # Other systems have no such call; there, children of a killed launcher have to be ended by hand.
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, self.death_signal)

    def answers(self) -> bool:
        """Ask for a sign of life."""
        return self.probe()

    def kill(self) -> None:
        """Kill the program and everything that it has started."""
        self.signal_group(signal.SIGKILL)

    def signal_group(self, number: int) -> None:
        """Send a signal to the program and everything that it has started."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return

    def has_ended(self) -> bool:
        """Whether the program is not running."""
        return self.process is None or self.process.poll() is not None


class _Watch:
    """What is known of one program.

    Attributes:
        program: the program.
        last_sign_at: when it last answered, or will have had time to start, by the monotonic clock.
        ended_at: when it was seen to have ended; None while it runs.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.last_sign_at = 0.0
        self.ended_at: float | None = None

    def start(self) -> None:
        self.program.start()
        self.ended_at = None
        self.last_sign_at = time.monotonic() + MAX_SILENCE.total_seconds()

    def ask(self, is_over: threading.Event) -> None:
        """Ask for signs of life until it is over."""
        while not is_over.wait(_PROBE_PAUSE_SECONDS):
            if not self.program.has_ended() and self._answers():
                self.last_sign_at = max(self.last_sign_at, time.monotonic())

    def _answers(self) -> bool:
        """Ask for a sign of life; a question that fails in a way that nobody thought of is none."""
        try:
            return self.program.answers()
        except Exception as error:
            # The next question must come, whatever became of this one.
            self._say(f"could not be asked ({type(error).__name__})")
            return False

    def look(self) -> None:
        """Start the program again where it has ended or does not answer."""
        now = time.monotonic()
        if not self.program.has_ended():
            if now - self.last_sign_at > MAX_SILENCE.total_seconds():
                self._say("does not answer; starting it again")
                self.program.kill()
                self.last_sign_at = now
        elif self.ended_at is None:
            self.ended_at = now
            # What it started must not outlive it: the next one would meet it.
            self.program.kill()
            self._say("ended; starting it again")
        elif now - self.ended_at > _RESTART_PAUSE_SECONDS:
            self.start()

    def _say(self, what: str) -> None:
        os.write(2, f"{self.program.name} {what}.\n".encode())


class Supervisor:
    """Starts programs, starts one anew that ends or falls silent, and stops its children on SIGINT, SIGTERM and SIGHUP.

    Args:
        children: the programs that are started here, and stopped in the end.
        others: programs that run already, and outlive this process.
    """

    def __init__(self, children: Sequence[Child], others: Sequence[Program] = ()) -> None:
        self._children = children
        self._watches = [_Watch(program) for program in (*others, *children)]
        self._is_stopping = False
        self._is_over = threading.Event()

    def start(self) -> None:
        """Start all programs, and take over the signals that end this process."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop_on_signal)
        for watch in self._watches:
            watch.start()
            threading.Thread(target=watch.ask, args=[self._is_over], daemon=True).start()

    @property
    def is_stopping(self) -> bool:
        """Whether a signal has asked for the end."""
        return self._is_stopping

    def watch(self) -> None:
        """Return when a signal asks for the end; until then restart what ends or falls silent."""
        while not self._is_stopping:
            for watch in self._watches:
                watch.look()
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Ask every child to end, wait, and kill what is left of it."""
        self._is_over.set()
        for child in self._children:
            child.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_SECONDS
        while time.monotonic() < deadline and not all(child.has_ended() for child in self._children):
            time.sleep(_POLL_SECONDS)
        for child in self._children:
            child.kill()
            if child.process is not None:
                child.process.wait()

    def _stop_on_signal(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True
