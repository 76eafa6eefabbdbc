"""Keeps a few child processes running, and ends them all together."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from types import FrameType

_RESTART_PAUSE_SECONDS = 2.0
_TIMEOUT_SECONDS = 15.0
_POLL_SECONDS = 0.1


@dataclass
class Child:
    """A program that has to run.

    Attributes:
        name: what people call it.
        command: its command line.
        process: its running process.
        ended_at: when it was seen to have ended, by the monotonic clock; None while it runs.
    """

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    ended_at: float | None = field(default=None)

    def start(self) -> None:
        """Start the program in a process group of its own, so that its own children end with it."""
        self.process = subprocess.Popen(self.command, start_new_session=True)
        self.ended_at = None

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


class Supervisor:
    """Starts children, starts one anew when it ends by itself, and stops all on SIGINT, SIGTERM and SIGHUP."""

    def __init__(self, children: list[Child]) -> None:
        self._children = children
        self._is_stopping = False

    def start(self) -> None:
        """Start all children, and take over the signals that end this process."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop_on_signal)
        for child in self._children:
            child.start()

    @property
    def is_stopping(self) -> bool:
        """Whether a signal has asked for the end."""
        return self._is_stopping

    def watch(self) -> None:
        """Return when a signal asks for the end; until then restart what ends."""
        while not self._is_stopping:
            for child in self._children:
                self._revive(child)
            time.sleep(_POLL_SECONDS)

    def stop(self) -> None:
        """Ask every child to end, wait, and kill what is left of it."""
        for child in self._children:
            child.signal_group(signal.SIGTERM)
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while time.monotonic() < deadline and not all(child.has_ended() for child in self._children):
            time.sleep(_POLL_SECONDS)
        for child in self._children:
            child.signal_group(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()

    def _revive(self, child: Child) -> None:
        if not child.has_ended():
            return
        if child.ended_at is None:
            child.ended_at = time.monotonic()
            # What it started must not outlive it: the next one would meet it.
            child.signal_group(signal.SIGKILL)
            code = child.process.returncode if child.process else None
            os.write(2, f"{child.name} ended with code {code}; starting it again.\n".encode())
        elif time.monotonic() - child.ended_at > _RESTART_PAUSE_SECONDS:
            child.start()

    def _stop_on_signal(self, number: int, frame: FrameType | None) -> None:
        self._is_stopping = True
