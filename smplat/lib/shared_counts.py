"""Counters that the processes of one machine share: a file that each of them maps into its memory."""

import fcntl
import mmap
import os
import struct
import weakref
from hashlib import blake2b
from pathlib import Path
from threading import Lock

# A hash of the name, the period in which it was counted, and how often.
_SLOT = struct.Struct("<QII")
_SLOTS = 65_536
# So many places from the one that its hash gives are looked at for a name.
_REACH = 16
_MAX_COUNT = 2**32 - 1


class SharedCounts:
    """Counts names within periods, such as minutes, in a table of fixed size, whatever the number of names.

    A counter of an earlier period is free. A name that finds none takes the lowest within its reach, so with
    more names than places some are counted anew, and none has the count of another.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            OSError: it cannot be opened, or there is no room for it.
        """
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        weakref.finalize(self, os.close, self._file)
        # All of it has to be there: a page that the disk has no room for would kill the process that writes to it.
        while (missing := _SLOTS * _SLOT.size - os.fstat(self._file).st_size) > 0:
            os.write(self._file, bytes(missing))
        os.fsync(self._file)
        self._table = mmap.mmap(self._file, _SLOTS * _SLOT.size)
        self._lock = Lock()

    def count(self, name: str, period: int, times: int = 1) -> int:
        """Count ``name`` so many times more, and return how often it was in ``period``, these times included."""
        key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
        with self._lock:
            # The kernel ends the lock of a process that is killed.
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                offset, counted = self._place(key, period)
                counted = min(counted + times, _MAX_COUNT)
                _SLOT.pack_into(self._table, offset, key, period, counted)
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        return counted

    def _place(self, key: int, period: int) -> tuple[int, int]:
        """Where a name is counted, and how often it was there already."""
        lowest = (_MAX_COUNT, 0)
        for step in range(_REACH):
            offset = (key + step) % _SLOTS * _SLOT.size
            its_key, its_period, its_count = _SLOT.unpack_from(self._table, offset)
            if its_key == key and its_period == period:
                return offset, its_count
            lowest = min(lowest, (its_count if its_period == period else -1, offset))
        return lowest[1], 0
