"""A clock of the desk's processes that can be stepped: what a file says is added to the time of day.

It reaches ``django.utils.timezone.now`` and ``time.time``. The clocks of the kernel (file times), of PostgreSQL and of
``datetime.now`` go on as they are, as if one machine of several had a wrong clock.
"""

import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from django.utils import timezone

#: The environment's variable that names the file.
VARIABLE = "FAULTS_CLOCK"
_MAX_AGE_SECONDS = 0.2


class _Offset:
    """The seconds that the file says, read a few times a second."""

    def __init__(self, path: Path) -> None:
        self._path, self._read_at, self._seconds = path, 0.0, 0.0

    def seconds(self) -> float:
        if time.monotonic() - self._read_at > _MAX_AGE_SECONDS:
            self._read_at = time.monotonic()
            self._seconds = float(self._path.read_text() or 0)
        return self._seconds


def install() -> None:
    """Put this process on the stepped clock; the launcher, which compares the times of files, stays on the kernel's."""
    path = os.environ.get(VARIABLE)
    if path and "smplat.launch" not in sys.orig_argv:
        _put_on(_Offset(Path(path)))


def _put_on(offset: _Offset) -> None:
    now: Callable[[], datetime] = timezone.now
    of_day = time.time

    def stepped_now() -> datetime:
        return now() + timedelta(seconds=offset.seconds())

    def stepped_time() -> float:
        return of_day() + offset.seconds()

    timezone.now = stepped_now
    time.time = stepped_time


def step(path: Path, seconds: float) -> None:
    """Have the clock of all processes that read ``path`` differ from the kernel's by ``seconds``."""
    fresh = path.with_suffix(".new")
    fresh.write_text(str(seconds))
    fresh.replace(path)
