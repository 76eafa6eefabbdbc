"""How far a run is, for those who watch it."""

import time

from reporting.models import ExportRun

_SECONDS_BETWEEN_NOTES = 0.5


class Meter:
    """Notes on a run how many rows it has to export and how many are done, at most twice a second."""

    def __init__(self, run: ExportRun, expected_rows: int) -> None:
        self._run = ExportRun.objects.filter(pk=run.pk)
        self._noted_at = time.monotonic()
        self._run.update(expected_rows=expected_rows, delivered_rows=0)

    def note(self, delivered_rows: int) -> None:
        """Note that ``delivered_rows`` rows are done, unless a note was made just before."""
        now = time.monotonic()
        if now - self._noted_at >= _SECONDS_BETWEEN_NOTES:
            self._noted_at = now
            self._run.update(delivered_rows=delivered_rows)
