"""Parity: whether the warehouse holds what the desk has sent, by feed and UTC day, and where it does not, which rows.

A day is first held against the warehouse by its sums. Where they differ, it is read row by row. JSON columns have no
sum that both engines compute alike; so a day that has any is read row by row until it was found equal, and again when
the JSON sum of either side has changed since.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.utils import timezone

from reporting.accounting import ledger
from reporting.accounting.ledger import Entry
from reporting.feeds import FEEDS, Feed
from reporting.feeds.checksums import json_columns
from reporting.models import ParityCheck, RepairRequest
from reporting.warehouse import tables
from reporting.warehouse.comparison import MAX_IDS, Comparison, Difference, Keys
from reporting.warehouse.repair import repair
from reporting.warehouse.schema import HISTORY, REFUSED
from reporting.warehouse.sums import Days, DeskDay, Reach, Sums, desk_days, expired, reach, warehouse_days
from reporting.warehouse.targets import Target, TargetError, connect

logger = logging.getLogger(__name__)
#: How many UTC days a check compares where nobody says which, today among them.
RECENT_DAYS = 14
KINDS = ("missing", "changed", "extra", "in_flight")
_MAX_QUARANTINED = 100
Figures = dict[str, Any]


def recent() -> Days:
    """The days that a check compares where nobody says which."""
    return Days(timezone.now().date() - timedelta(days=RECENT_DAYS - 1))


def redacted(url: str) -> str:
    """A warehouse's URL without anything secret."""
    parts = urlsplit(url)
    if parts.scheme == "duckdb":
        return f"/{unquote(parts.path).lstrip('/')}"
    return f"snowflake://{parts.hostname}{parts.path}"


@dataclass
class FeedFindings:
    """What a check has found for one feed so far.

    Attributes:
        here: rows of the days in the desk's database.
        there: rows of the days in the warehouse.
        exported: how many of those here the lake holds.
        loaded: how many of the exported the warehouse holds.
        unloaded: how many of the exported lie in objects that the load has not looked at.
        refused: how many of the exported the load has kept aside.
        counts: how many rows are missing, changed, extra and in flight.
        ids: the first of these.
        days: what each day came to, for the next check.
        repairs: the objects that repair them.
    """

    here: int = 0
    there: int = 0
    exported: int = 0
    loaded: int = 0
    unloaded: int = 0
    refused: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ids: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    days: dict[str, Figures] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Count what one day came to."""
        for kind in KINDS:
            keys: Keys = getattr(difference, kind)
            self.counts[kind] += keys.count
            self.ids[kind] += keys.first[: MAX_IDS - len(self.ids[kind])]
        self.loaded += difference.loaded
        self.unloaded += difference.unloaded
        self.refused += difference.refused.count

    @property
    def remainder(self) -> int:
        """What the third equation leaves over: exported = loaded + refused + in flight."""
        return self.exported - self.loaded - self.refused - self.unloaded

    def figures(self) -> Figures:
        found = {kind: {"count": self.counts[kind], "ids": self.ids[kind]} for kind in KINDS}
        names = ("here", "there", "exported", "loaded", "unloaded", "refused", "remainder", "days", "repairs")
        return {**{name: getattr(self, name) for name in names}, **found}


@dataclass
class Report:
    """What a check has found.

    Attributes:
        days: the days that were compared.
        feeds: what was found, by feed.
        ledger: the ledger's lines at the time, by feed.
    """

    days: Days
    feeds: dict[str, Figures]
    ledger: dict[str, Entry]

    @property
    def remainder(self) -> int:
        """How much all equations leave over."""
        of_lines = [abs(entry.intake_remainder) + abs(entry.rows_remainder) for entry in self.ledger.values()]
        of_loads: list[int] = [abs(figures["remainder"]) for figures in self.feeds.values()]
        return sum(of_lines) + sum(of_loads)

    @property
    def is_equal(self) -> bool:
        """Whether nothing is left over, and nothing is missing, extra or changed."""
        kinds = ("missing", "changed", "extra")
        return not (self.remainder or any(figures[kind]["count"] for figures in self.feeds.values() for kind in kinds))

    def figures(self) -> Figures:
        lines = {key: entry.figures() for key, entry in self.ledger.items()}
        return {"feeds": self.feeds, "ledger": lines}


def check(
    url: str, feeds: Iterable[Feed], days: Days, say: Callable[[str], None], *, is_repair: bool = False
) -> Report:
    """Compare the warehouse with the desk.

    Args:
        url: the warehouse, see :func:`reporting.warehouse.targets.connect`.
        feeds: the feeds to compare.
        days: the days to compare.
        say: called with a line for each day that is read row by row, and for each repair.
        is_repair: whether missing and changed rows are put on the stage, for the next load.

    Raises:
        TargetError: the warehouse cannot be used.
        OSError: a repair cannot be written.
    """
    feeds = list(feeds)
    ledger.fold()
    lines = ledger.read()
    known = _known_days(url)
    with connect(url) as target:
        tables.make(target, feeds)
        found = {
            feed.key: _Check(target, feed, days, known.get(feed.key, {}), say, is_repair).figures() for feed in feeds
        }
    wanted = {feed.key for feed in feeds} if len(feeds) < len(FEEDS) else set(lines)
    return Report(days, found, {key: entry for key, entry in lines.items() if key in wanted})


def check_on_schedule() -> ParityCheck:
    """Compare the recent days of every feed with the warehouse of the settings, and keep what was found."""
    days, at, url = recent(), timezone.now(), settings.WAREHOUSE_URL
    try:
        report = check(url, FEEDS.values(), days, lambda text: None)
    except (TargetError, OSError) as error:
        values: dict[str, Any] = {"at": at, "target": redacted(url), "since": days.since, "problem": str(error)}
        return ParityCheck.objects.create(**values, state=ParityCheck.State.FAILED)
    return keep(url, at, report)


def keep(url: str, at: datetime, report: Report) -> ParityCheck:
    """Keep what a check of all feeds has found, for the page and for the next check.

    Args:
        url: the warehouse.
        at: when the check began.
        report: what it has found.
    """
    return ParityCheck.objects.create(
        at=at,
        target=redacted(url),
        since=report.days.since,
        until=report.days.until,
        state=ParityCheck.State.EQUAL if report.is_equal else ParityCheck.State.DIFFERS,
        remainder=report.remainder,
        figures=report.figures(),
    )


def repair_on_request() -> bool:
    """Put the missing and changed rows of recent days on the stage, of the feeds that operators have asked for.

    A problem is logged.

    Returns:
        Whether anybody had asked.
    """
    feeds = [FEEDS[key] for key in RepairRequest.objects.take() if key in FEEDS]
    for feed in feeds:
        try:
            check(settings.WAREHOUSE_URL, [feed], recent(), logger.info, is_repair=True)
        except (TargetError, OSError) as error:
            logger.error("The repair of %s failed: %s", feed.key, error)  # noqa: TRY400 - the text says it all
    return bool(feeds)


def _known_days(url: str) -> dict[str, dict[str, Figures]]:
    """What the last check of this warehouse has found on each day, by feed."""
    checks = ParityCheck.objects.filter(target=redacted(url)).exclude(state=ParityCheck.State.FAILED)
    last = checks.order_by("-at").first()
    return {key: figures["days"] for key, figures in last.figures["feeds"].items()} if last else {}


class _Check:
    """The check of one feed."""

    def __init__(
        self,
        target: Target,
        feed: Feed,
        days: Days,
        known: dict[str, Figures],
        say: Callable[[str], None],
        is_repair: bool,
    ) -> None:
        self._target, self._feed, self._days, self._known = target, feed, days, known
        self._say, self._is_repair = say, is_repair
        # What the warehouse holds is read before the desk's rows: a row reaches the warehouse after it was stored here.
        self._reach: Reach = reach(target, feed)
        self._comparison = Comparison(target, feed, days, self._reach)
        self._found = FeedFindings()

    def figures(self) -> Figures:
        """What was found, for JSON."""
        theirs, mine = (
            warehouse_days(self._target, self._feed, self._days),
            desk_days(self._feed, self._days, self._reach),
        )
        gone = expired(self._feed, self._days)
        for day in sorted({*theirs, *mine}):
            self._compare(day, mine.get(day, DeskDay()), theirs.get(day, Sums()), gone.get(day, Sums()))
        return {**self._found.figures(), **_account(self._target, self._feed)}

    def _compare(self, day: date, mine: DeskDay, theirs: Sums, gone: Sums) -> None:
        found = self._found
        found.here += mine.rows
        found.there += theirs.rows
        found.exported += mine.exported
        prints = [str(mine.due.json_sum), str(theirs.json_sum)]
        is_alike = theirs.is_like(mine.due + gone)
        is_read = bool(json_columns(self._feed)) and self._known.get(day.isoformat()) != {"equal": prints}
        if is_alike and mine.rows == mine.due.rows and not (is_read and theirs.rows):
            found.loaded += mine.due_and_exported
            found.days[day.isoformat()] = {"equal": prints}
            return
        self._read(day, prints)

    def _read(self, day: date, prints: list[str]) -> None:
        self._say(f"{self._feed.key}: reads {day} row by row")
        with closing(self._comparison.day(day)) as difference:
            self._found.add(difference)
            if difference.is_equal:
                self._found.days[day.isoformat()] = {"equal": prints}
                return
            counts = {kind: getattr(difference, kind).count for kind in KINDS}
            self._found.days[day.isoformat()] = {"differs": counts}
            if self._is_repair and (uri := repair(self._target, self._feed, day, difference)):
                self._found.repairs.append(uri)
                self._say(f"{self._feed.key}: wrote {uri}")


def _account(target: Target, feed: Feed) -> Figures:
    """What the load has kept aside: rows by reason, and the objects in quarantine."""
    reasons = f"SELECT reason, COUNT(*) FROM {REFUSED} WHERE feed = ? GROUP BY 1 ORDER BY 2 DESC, 1"  # noqa: S608
    objects = (
        f"SELECT object, reason FROM {HISTORY} WHERE feed = ? AND state = 'quarantined' ORDER BY object DESC "  # noqa: S608
        f"LIMIT {_MAX_QUARANTINED}"
    )
    return {
        "refused_rows": [{"reason": reason, "count": count} for reason, count in target.execute(reasons, [feed.key])],
        "quarantined": [{"object": uri, "reason": reason} for uri, reason in target.execute(objects, [feed.key])],
    }
