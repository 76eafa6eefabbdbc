"""Run one scheduled job now, in the foreground."""

import argparse
from typing import Any

from django.core.management.base import CommandError
from django.db import OperationalError

from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.management.base import OneLineCommand
from reporting.models import ExportRun
from smplat.lib.errors import is_disk_full
from smplat.lib.words import counted

_AWAY = "The database cannot be reached; check DATABASE_URL."


class Command(OneLineCommand):
    """Exit code 0 when the run succeeded or was skipped, 1 when it failed, 2 for wrong usage."""

    help = "Run one export job now, in the foreground. The summary goes to stderr."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        feeds = sorted(FEEDS)
        parser.add_argument("feed", choices=feeds, help="the feed to export")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = runs.perform(runs.request_run(FEEDS[options["feed"]], ExportRun.Trigger.COMMAND))
        except OperationalError as error:
            problem = "The disk of the database is full." if is_disk_full(error) else _AWAY
            raise CommandError(problem, returncode=1) from error
        if run.state == ExportRun.State.FAILED:
            raise CommandError(f"{run.feed}: {run.error}", returncode=1)
        outcome = run.error or f"{counted(run.rows or 0, 'row')}, {counted(run.bytes or 0, 'byte')}, {run.object_uri}"
        self.stderr.write(f"{run.feed}: {run.state}. {outcome}", ending="\n", style_func=str)
