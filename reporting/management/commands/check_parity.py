"""Hold the warehouse against the desk."""

import argparse
from datetime import date, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from reporting.accounting.ledger import Entry
from reporting.feeds import FEEDS
from reporting.management.base import OneLineCommand
from reporting.warehouse import parity
from reporting.warehouse.parity import KINDS, Report
from reporting.warehouse.sums import Days
from reporting.warehouse.targets import TargetError
from smplat.lib.addresses import is_warehouse_url
from smplat.lib.words import counted

_FORMS = "duckdb:///absolute/path or snowflake://user:password@account/database"


def _day(text: str) -> date:
    return date.fromisoformat(text)


class Command(OneLineCommand):
    """Exit code 0 when nothing is missing, extra, changed or left over, 1 when something is, 2 for wrong usage."""

    help = "Compare the warehouse with the desk, by feed and UTC day, and close the conservation ledger."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the target, the feeds, the days, the repair and the form of the report."""
        target_help = f"{_FORMS}; default WAREHOUSE_URL"
        days_help = f"UTC day, such as 2026-01-31; default: the last {parity.RECENT_DAYS} days"
        parser.add_argument("--target", metavar="URL", default=settings.WAREHOUSE_URL, help=target_help)
        parser.add_argument("--feed", action="append", choices=sorted(FEEDS), help="may be repeated; default: all")
        parser.add_argument("--since", type=_day, metavar="DATE", help=f"the first {days_help}")
        parser.add_argument("--until", type=_day, metavar="DATE", help="the last UTC day; default: no last day")
        parser.add_argument("--repair", action="store_true", help="put missing and changed rows on the stage")
        parser.add_argument("--json", action="store_true", help="report as JSON, with ids")

    def handle(self, *args: Any, **options: Any) -> None:
        """Compare, report, and say by the exit code how it ended."""
        if not is_warehouse_url(options["target"]):
            raise CommandError(f"--target or WAREHOUSE_URL has to name the warehouse: {_FORMS}", returncode=2)
        days = _days(options["since"], options["until"])
        feeds = [FEEDS[key] for key in options["feed"] or FEEDS]
        begun_at = timezone.now()
        try:
            report = parity.check(options["target"], feeds, days, self._say, is_repair=options["repair"])
        except (TargetError, OSError) as error:
            raise CommandError(f"Failed: {error}.", returncode=1) from error
        if not options["feed"]:
            parity.keep(options["target"], begun_at, report)
        self._write(report, options["json"])
        if not report.is_equal:
            raise CommandError("The warehouse differs from the desk.", returncode=1)

    def _write(self, report: Report, is_json: bool) -> None:
        if is_json:
            dumped = orjson.dumps(report.figures(), option=orjson.OPT_INDENT_2).decode()
            self.stdout.write(dumped)
            return
        for line in _lines(report):
            self.stdout.write(line)

    def _say(self, text: str) -> None:
        self.stderr.write(text, ending="\n", style_func=str)


def _days(since: date | None, until: date | None) -> Days:
    recent = parity.recent()
    first = since or (until - timedelta(days=parity.RECENT_DAYS - 1) if until else recent.since)
    if until is not None and until < first:
        raise CommandError(f"--until {until} lies before --since {first}", returncode=2)
    return Days(first, until)


def _notes(entry: Entry) -> str:
    """What else there is to say of the accepted rows."""
    notes = {"without an id": entry.minted, "imported": entry.imported}
    return "".join(f"; {count} accepted {note}" for note, count in notes.items() if count)


def _lines(report: Report) -> list[str]:
    lines = []
    for key, entry in report.ledger.items():
        lines += [
            f"{key or 'no feed'}: received {entry.received} = accepted {entry.accepted} + duplicate "
            f"{entry.duplicates} + ignored {entry.ignored} + rejected {entry.rejected}"
            f"{_notes(entry)}{_left_over(entry.intake_remainder)}",
            f"{key or 'no feed'}: accepted {entry.accepted} = exported {entry.exported} + pending {entry.pending} + "
            f"expired {entry.expired}{_left_over(entry.rows_remainder)}",
        ]
    for key, found in report.feeds.items():
        lines += [
            f"{key}: since {report.days.since}: exported {found['exported']} = loaded {found['loaded']} + refused "
            f"{found['refused']} + in flight {found['unloaded']}{_left_over(found['remainder'])}",
            f"{key}: {counted(found['here'], 'row')} here, {found['there']} in the warehouse",
        ]
        lines += [
            f"{key}: {found[kind]['count']} {kind.replace('_', ' ')}: {', '.join(found[kind]['ids'])}"
            for kind in KINDS
            if found[kind]["count"]
        ]
    return lines


def _left_over(remainder: int) -> str:
    return f"; REMAINDER {remainder}" if remainder else ""
