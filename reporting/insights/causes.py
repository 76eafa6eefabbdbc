"""What can be wrong with the desk: for each cause one function that yields what it finds now.

A finding's sentence says what happened and what it means; who shows it puts the feed's name in front. Causes ask the
database and the machine they run on, by a number of queries that does not grow with rows.
"""

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from reporting.accounting import ledger
from reporting.feeds import FEEDS
from reporting.feeds.fence import long_writers
from reporting.feeds.shapes import model_of
from reporting.insights import beats, drift, published
from reporting.insights.freshness import LATE_AFTER_INTERVALS, is_late
from reporting.models import (
    Checkpoint,
    CheckpointMove,
    ExportRun,
    FeedPause,
    ParityCheck,
    SlackMessage,
    WebhookDestination,
)
from reporting.models.beats import Beat
from reporting.models.findings import Finding, Kind
from smplat.lib.words import counted
from telemetry.models import Refusal

#: A queued run that waits for longer has no worker.
STUCK_AFTER = timedelta(minutes=1)
#: A writer that is older than this holds exports back for long.
LONG_WRITER = timedelta(seconds=30)
#: A feed that is paused for longer may have been forgotten.
PAUSED_FOR = timedelta(days=1)
#: A check of the warehouse, made every hour, is too old after this.
CHECK_AGE = timedelta(hours=3)
#: A disk with a smaller share of free space is almost full.
MIN_FREE = 0.05
#: Slack fails where a message waits after so many attempts.
MAX_ATTEMPTS = 3
#: So many events refused in so long, and so many times the usual number, are worth a look.
REFUSAL_WINDOW, MIN_REFUSALS, MAX_REFUSAL_FACTOR = timedelta(minutes=10), 20, 3
_MAX_ERROR = 300


def processes() -> Iterator[Finding]:
    """Roles that no living process has; those that were never seen are without a time."""
    missing = Beat.objects.missing()
    if workers := [role for role in missing if role != Beat.Role.SCHEDULER]:
        names = " and no ".join(role.label for role in workers)
        since = min((at for role in workers if (at := missing[role])), default=None)
        stops = "exports and loads stand still" if Beat.Role.WORKER in workers else "nothing reaches Slack"
        yield _finding(Kind.NO_WORKER, f"No {names} is running: {stops}. Start it, or restart the desk.", since)
    if Beat.Role.SCHEDULER in missing:
        sentence = "No scheduler is running: no export starts by itself. Start it, or restart the desk."
        yield _finding(Kind.NO_SCHEDULER, sentence, missing[Beat.Role.SCHEDULER])


def schedulers() -> Iterator[Finding]:
    """Desks that share the database by mistake."""
    if problem := beats.problem():
        yield _finding(Kind.SEVERAL_SCHEDULERS, problem)


def disk() -> Iterator[Finding]:
    """A disk that is almost full, under the folder of this process."""
    usage = shutil.disk_usage(settings.VAR_DIR)
    if usage.free < MIN_FREE * usage.total:
        percent, free = 100 * usage.free / usage.total, usage.free / 2**30
        sentence = f"{percent:.1f} % of the disk with VAR_DIR is free ({free:,.1f} GiB). Make room before it is full."
        yield _finding(Kind.DISK_FULL, sentence)


def remainders() -> Iterator[Finding]:
    """Lines of the conservation ledger that do not balance."""
    for key, left in ledger.remainders().items():
        if left:
            what = "" if key in FEEDS else "Unrecognised events: "
            sentence = f"{what}{left:,} unaccounted for between received, accepted and exported."
            yield _finding(Kind.LEDGER_REMAINDER, sentence, feed=key if key in FEEDS else "")


def failed_runs() -> Iterator[Finding]:
    """Feeds whose last run failed."""
    for run in ExportRun.objects.newest_outcome_of_each_feed():
        if run.state == ExportRun.State.FAILED:
            error = run.error if len(run.error) <= _MAX_ERROR else f"{run.error[:_MAX_ERROR]}…"
            retry = reverse("pages:run-retry", args=[run.pk])
            yield _finding(Kind.FAILED_RUN, f"Last run failed: {error}", run.finished_at, run.feed, retry)


def late_feeds() -> Iterator[Finding]:
    """Feeds that have been exported, but not lately, though their schedule is not paused."""
    paused = set(FeedPause.objects.values_list("feed", flat=True))
    for run in ExportRun.objects.newest_sound_of_each_feed():
        ended = run.finished_at
        if ended is not None and run.feed not in paused and is_late(run.definition, ended, timezone.now()):
            sentence = f"Late: last successful run ended {ended:%-d %b %H:%M} UTC."
            since = ended + LATE_AFTER_INTERVALS * run.definition.interval
            yield _finding(Kind.LATE_FEED, sentence, since, run.feed, reverse("pages:start-run", args=[run.feed]))


def pauses() -> Iterator[Finding]:
    """Feeds that have been paused for long, which somebody may have forgotten."""
    for pause in FeedPause.objects.filter(since__lt=timezone.now() - PAUSED_FOR).select_related("user"):
        by = f" by {pause.user}" if pause.user else ""
        sentence = f"Paused{by}: {pause.reason} Nothing is exported on schedule."
        yield _finding(Kind.PAUSED, sentence, pause.since, pause.feed, reverse("pages:resume-feed", args=[pause.feed]))


def stuck_runs() -> Iterator[Finding]:
    """Runs that no worker takes."""
    waiting = ExportRun.objects.filter(state=ExportRun.State.QUEUED, created_at__lt=timezone.now() - STUCK_AFTER)
    for feed in FEEDS:
        if run := waiting.of(feed).last():
            sentence = "A run is waiting for a worker. Workers are busy, or the broker has lost it."
            yield _finding(Kind.STUCK_QUEUE, sentence, run.created_at, feed, run.get_absolute_url())


def drifting() -> Iterator[Finding]:
    """A funnel of which storefront and export tell different stories."""
    figures = drift.compare(drift.live_window(), published.statuses()["quick_order"]).figures
    worst = max(figures, key=lambda figure: figure.drift or 0)
    if worst.is_drifting:
        sentence = (
            f"{worst.label}: the storefront says {worst.covered:,.0f}, the export {worst.export:,.0f} "
            f"of the same events, {worst.drift:.1f} % apart."
        )
        yield _finding(Kind.DRIFT, sentence, feed="quick_order", url=f"{reverse('pages:reports')}#funnel")


def warehouse() -> Iterator[Finding]:
    """What the last check of the warehouse found, and whether there is one."""
    page = f"{reverse('pages:reports')}#warehouse"
    last = ParityCheck.objects.order_by("-at").first()
    if last is not None and last.state == ParityCheck.State.FAILED:
        problem = f"The last check of the warehouse failed: {last.problem[:_MAX_ERROR]}"
        yield _finding(Kind.WAREHOUSE_UNCHECKED, problem, last.at, url=page)
    elif last is not None and settings.WAREHOUSE_URL and timezone.now() - last.at > CHECK_AGE:
        yield _finding(Kind.WAREHOUSE_UNCHECKED, "The warehouse has not been checked for hours.", last.at, url=page)
    found = ParityCheck.objects.exclude(state=ParityCheck.State.FAILED).order_by("-at").first()
    for key, figures in found.figures["feeds"].items() if found else ():
        if key in FEEDS:
            yield from _differences(key, figures, found.at, page)  # type: ignore[union-attr]


def _differences(feed: str, figures: dict[str, Any], at: datetime, page: str) -> Iterator[Finding]:
    counts = {kind: figures[kind]["count"] for kind in ("missing", "extra", "changed")}
    parts = [f"{count:,} {kind}" for kind, count in counts.items() if count]
    if unaccounted := figures["remainder"]:
        parts.append(f"{abs(unaccounted):,} unaccounted for by the load")
    if parts:
        can_repair = settings.WAREHOUSE_URL and (counts["missing"] or counts["changed"])
        repair = reverse("pages:repair-warehouse", args=[feed]) if can_repair else ""
        yield _finding(Kind.WAREHOUSE_DIFFERS, f"The warehouse differs: {', '.join(parts)}.", at, feed, repair)
    refused, files = sum(row["count"] for row in figures["refused_rows"]), len(figures["quarantined"])
    if refused or files:
        sentence = f"The load has refused {counted(refused, 'row')} and quarantined {counted(files, 'file')}."
        yield _finding(Kind.ROWS_QUARANTINED, sentence, at, feed, page)


def refusals() -> Iterator[Finding]:
    """Events that are refused far more often than usual."""
    now = timezone.now()
    begins, day = now - REFUSAL_WINDOW, now - timedelta(days=1)
    refused = Refusal.objects.filter(at__gt=day).aggregate(
        recent=Count("id", filter=Q(at__gt=begins)), before=Count("id", filter=Q(at__lte=begins))
    )
    usual = refused["before"] * (REFUSAL_WINDOW / (begins - day))
    if refused["recent"] > max(MIN_REFUSALS, MAX_REFUSAL_FACTOR * usual):
        sentence = f"{refused['recent']:,} events were refused in 10 minutes; usual is {usual:,.0f}."
        yield _finding(Kind.REFUSALS, sentence, begins, url=reverse("pages:refused"))


def rewound() -> Iterator[Finding]:
    """Checkpoints that an operator moved back, and no export has passed since."""
    reached = dict(Checkpoint.objects.values_list("feed", "position"))
    for feed in FEEDS:
        move = CheckpointMove.objects.of(feed).exclude(reason=CheckpointMove.Reason.EXPORT).first()
        is_rewind = move is not None and move.reason == CheckpointMove.Reason.REWIND
        if move is not None and is_rewind and reached.get(feed, 0) < (move.from_position or 0):
            by = f" by {move.user}" if move.user else ""
            sentence = f"Rewound to {move.to_cursor:%-d %b %H:%M} UTC{by}. The next export resends the rows since then."
            review = reverse("admin:reporting_checkpoint_change", args=[feed])
            yield _finding(Kind.REWOUND, sentence, move.at, feed, review)


def writers() -> Iterator[Finding]:
    """Transactions that exports wait for."""
    feeds = {model_of(feed)._meta.db_table: feed.key for feed in FEEDS.values()}
    found = long_writers([model_of(feed) for feed in FEEDS.values()], LONG_WRITER)
    for table, oldest in {writer.table: writer for writer in reversed(found)}.items():
        sentence = f"Database process {oldest.pid} is still writing, and exports wait for it. End it if it hangs."
        yield _finding(Kind.LONG_WRITER, sentence, oldest.since, feeds[table])


def destinations() -> Iterator[Finding]:
    """Webhooks that want nothing any more."""
    feeds = {feed.webhook_setting: feed.key for feed in FEEDS.values() if feed.webhook_setting}
    disabled = WebhookDestination.objects.disabled().order_by("-disabled_at")
    page = reverse("admin:reporting_webhookdestination_changelist")
    for destination in {feeds.get(each.name, ""): each for each in disabled}.values():
        sentence = f"{destination.name} has unsubscribed ({destination.reason}). Nothing is sent until you enable it."
        feed = feeds.get(destination.name, "")
        yield _finding(Kind.DESTINATION_DISABLED, sentence, destination.disabled_at, feed, page)


def slack_messages() -> Iterator[Finding]:
    """Messages that Slack does not take."""
    newest_sent = SlackMessage.objects.filter(state=SlackMessage.State.SENT).order_by("-sent_at").first()
    failing = SlackMessage.objects.filter(
        Q(state=SlackMessage.State.WAITING, attempts__gte=MAX_ATTEMPTS) | Q(state=SlackMessage.State.GIVEN_UP)
    )
    if newest_sent is not None and newest_sent.sent_at is not None:
        failing = failing.filter(created_at__gt=newest_sent.created_at)
    if message := failing.order_by("created_at").first():
        page = reverse("admin:reporting_slackmessage_changelist")
        sentence = f"Slack is not taking messages: {message.problem or 'no answer'}."
        yield _finding(Kind.SLACK_FAILING, sentence, message.created_at, url=page)


def _finding(kind: Kind, sentence: str, since: datetime | None = None, feed: str = "", url: str = "") -> Finding:
    return Finding(kind=kind, sentence=sentence, since=since or timezone.now(), feed=feed, url=url)


#: Every cause that a look goes through.
CAUSES: tuple[Callable[[], Iterator[Finding]], ...] = (
    processes,
    schedulers,
    disk,
    remainders,
    failed_runs,
    late_feeds,
    pauses,
    stuck_runs,
    drifting,
    warehouse,
    refusals,
    rewound,
    writers,
    destinations,
    slack_messages,
)
