"""Load the warehouse from the lake."""

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from reporting.feeds import FEEDS
from reporting.management.base import OneLineCommand
from reporting.warehouse import loading
from reporting.warehouse.loading import Summary
from reporting.warehouse.targets import TargetError
from smplat.lib.addresses import is_warehouse_url
from smplat.lib.words import counted

_FORMS = "duckdb:///absolute/path or snowflake://user:password@account/database"


class Command(OneLineCommand):
    """Exit code 0 when all that is new was loaded, 1 when something failed, 2 for wrong usage.

    It needs the lake and the warehouse alone, and not the database of the desk.
    """

    help = "Load into the warehouse what the manifests of the lake list and it does not hold yet. May be repeated."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        target_help = f"{_FORMS}; default WAREHOUSE_URL"
        parser.add_argument("--target", metavar="URL", default=settings.WAREHOUSE_URL, help=target_help)
        parser.add_argument("--feed", action="append", choices=sorted(FEEDS), help="may be repeated; default: all")
        parser.add_argument("--dry-run", action="store_true", help="say what would be loaded, and load nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_warehouse_url(options["target"]):
            raise CommandError(f"--target or WAREHOUSE_URL has to name the warehouse: {_FORMS}", returncode=2)
        try:
            problems = self._run([FEEDS[key] for key in options["feed"] or FEEDS], options)
        except KeyboardInterrupt:
            raise CommandError("Stopped by hand; what was loaded stays loaded.", returncode=1) from None
        except (TargetError, OSError) as error:
            raise CommandError(f"Failed: {error}; what was loaded stays loaded.", returncode=1) from error
        if problems:
            lines = "\n".join(problems)
            raise CommandError(f"{counted(len(problems), 'object')} not loaded:\n{lines}", returncode=1)

    def _run(self, feeds: list[Any], options: dict[str, Any]) -> list[str]:
        if options["dry_run"]:
            summaries, verb = loading.measure(options["target"], feeds), "would load"
        else:
            summaries, verb = loading.load(options["target"], feeds, self._say), "loaded"
        for summary in summaries:
            self._say(f"{summary.feed}: {verb} {_size(summary)}")
        return [problem for summary in summaries for problem in summary.problems]

    def _say(self, text: str) -> None:
        self.stderr.write(text, ending="\n", style_func=str)


def _size(summary: Summary) -> str:
    refused = f"; {counted(summary.refused, 'row')} refused" if summary.refused else ""
    counts = {"object": summary.objects, "row": summary.rows, "byte": summary.bytes}
    return ", ".join(counted(count, noun) for noun, count in counts.items()) + refused
