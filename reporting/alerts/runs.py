"""What Slack hears of export runs, the failures of runs that can no longer tell themselves among them."""

from django.conf import settings
from django.db.models import QuerySet

from reporting.alerts import outbox, slack
from reporting.models import ExportRun


def announce(run: ExportRun) -> None:
    """Queue the notification of an ended run for Slack; it goes out in the background.

    With ``SLACK_VERBOSITY=changes`` only the first run of a feed, every failure after a success, and every recovery are
    reported.
    """
    # The link in the message takes the URLs of every page, which a command should not import for nothing.
    if not getattr(settings, run.definition.slack_setting):
        return
    if settings.SLACK_VERBOSITY == "CHANGES" and not _changes_state(run):
        return
    outbox.put(f"run:{run.pk}", run.definition.slack_setting, run_text(run))


def run_text(run: ExportRun) -> str:
    """The message of an ended run, in Slack's markup."""
    label, link = slack.escape(run.definition.label), slack.link(run.absolute_url, "run")
    lines = [f"*{label}*: {run.state}. {slack.escape(_outcome(run))} ({link})"]
    if cursor := _next_cursor(run):
        lines.append(f"Next cursor: {slack.one_line(cursor)}")
    if run.object_uri:
        lines.append(f"Artifact: {slack.one_line(run.object_uri)}")
    return "\n".join(lines)


def _outcome(run: ExportRun) -> str:
    if run.state == ExportRun.State.SUCCEEDED:
        return f"{run.rows:,} {'row' if run.rows == 1 else 'rows'} exported."
    # What a skipped run says begins with its state, which the message has named already.
    reason = run.error.removeprefix("Skipped: ")
    return f"{reason[:1].upper()}{reason[1:]}"


def _next_cursor(run: ExportRun) -> str:
    """The time of the checkpoint after the run; empty for a feed with a window, which has no use for it."""
    checkpoint = run.checkpoint_after or run.checkpoint_before or {}
    return "" if run.definition.window else checkpoint.get("cursor") or ""


def _changes_state(run: ExportRun) -> bool:
    if run.state == ExportRun.State.SKIPPED:
        return False
    ended = ExportRun.objects.of(run.feed).filter(state__in=[ExportRun.State.SUCCEEDED, ExportRun.State.FAILED])
    before = ended.exclude(pk=run.pk).first()
    return before is None or before.state != run.state


def close_dead(runs: QuerySet[ExportRun]) -> int:
    """Close those of ``runs`` that are running, whose processes have ended, as the caller knows; return how many."""
    return close_failed(
        runs.filter(state=ExportRun.State.RUNNING),
        "The process of this run, or its database session, ended before the run did. Nothing is lost: "
        "the next run starts where the last successful one ended.",
    )


def close_failed(runs: QuerySet[ExportRun], error: str) -> int:
    """Close ``runs`` as failed because of ``error``, tell Slack, and return how many they were."""
    found = list(runs)
    for run in found:
        run.close(ExportRun.State.FAILED, error)
        announce(run)
    return len(found)
