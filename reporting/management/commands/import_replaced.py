"""Import the tables of the replaced system."""

import argparse
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError

from reporting.management.base import OneLineCommand
from reporting.recording import replaced_files
from reporting.recording.imports import import_followups, import_segments
from smplat.lib.words import counted
from telemetry.imports import Imported, import_events

_BATCH_ROWS = 1_000
_MAX_SHOWN = 100
_IMPORTS: dict[str, Callable[[list[Any]], Imported]] = {
    "segments": import_segments,
    "followups": import_followups,
    "telemetry": import_events,
}


class Command(OneLineCommand):
    """Exit code 0 when every row is in, 1 when some were refused or the import was cut short, 2 for wrong usage."""

    help = (
        "Import the replaced system's rows, under their ids and with their times, from NDJSON or CSV. It may be "
        "repeated: rows that are known are left out."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Take a file for each kind of row."""
        for name in _IMPORTS:
            parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"NDJSON or CSV with {name}")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import each file, and say what became of its rows."""
        files = {name: options[name] for name in _IMPORTS if options[name]}
        if not files:
            raise CommandError("name at least one of --segments, --followups and --telemetry", returncode=2)
        try:
            refused = sum([self._import(name, path) for name, path in files.items()])
        except (OSError, DatabaseError) as error:
            problem = f"Failed: {error}. What was imported stays; run the command again for the rest."
            raise CommandError(problem, returncode=1) from error
        if refused:
            raise CommandError(f"Refused: {counted(refused, 'row')}. The others are imported.", returncode=1)

    def _import(self, name: str, path: Path) -> int:
        """Import one file, and return how many of its rows were refused."""
        total, shown = Imported(), 0
        refused = 0
        for batch in _batches(replaced_files.rows(path)):
            imported = _IMPORTS[name]([row for _, row in batch])
            for place, problem in islice(imported.refused.items(), _MAX_SHOWN - shown):
                shown += 1
                self._say(f"{path} line {batch[place][0]}: {problem}")
            refused += len(imported.refused)
            total.new, total.known = total.new + imported.new, total.known + imported.known
            total.ignored += imported.ignored
        ignored = f", {total.ignored:,} of other kinds" if total.ignored else ""
        self._say(f"{name}: {total.new:,} imported, {total.known:,} known, {refused:,} refused{ignored}")
        return refused

    def _say(self, text: str) -> None:
        self.stderr.write(text, ending="\n", style_func=str)


def _batches(rows: Iterator[tuple[int, Any]]) -> Iterator[list[tuple[int, Any]]]:
    while batch := list(islice(rows, _BATCH_ROWS)):
        yield batch
