"""Files that somebody is still writing, known by their names."""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

SUFFIX = ".unfinished"
_ABANDONED_AFTER = timedelta(days=1)


def remove_abandoned(found: Iterator[Path]) -> None:
    """Remove those of ``found`` that killed writers left; a file that is written to is never a day old."""
    for path in found:
        # Another process may have removed it just now.
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_AFTER.total_seconds():
                path.unlink()
