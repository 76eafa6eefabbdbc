"""What Slack hears of export runs, the failures of runs that can no longer tell themselves among them."""

from django.db.models import QuerySet

from reporting.alerts import outbox, slack
from reporting.models import ExportRun


def announce(run: ExportRun) -> None:
    """Queue the notification of an ended run for Slack; it goes out in the background.

    Each run of a telemetry job is reported, and of an incremental one the first, every failure after a success, and
    every recovery.
    """
    if run.definition.window is None and not _changes_state(run):
        return
    label, link = slack.escape(run.definition.label), slack.link(run.absolute_url, "run")
    outcome = f"{run.rows} rows exported." if run.state == ExportRun.State.SUCCEEDED else slack.escape(run.error)
    text = f"*{label}*: {run.state}. {outcome} ({link})"
    outbox.put(f"run:{run.pk}", run.definition.slack_setting, text)


def _changes_state(run: ExportRun) -> bool:
    if run.state == ExportRun.State.SKIPPED:
        return False
    ended = ExportRun.objects.of(run.feed).filter(state__in=[ExportRun.State.SUCCEEDED, ExportRun.State.FAILED])
    before = ended.exclude(pk=run.pk).first()
    return before is None or before.state != run.state


def close_dead_run(feed_key: str) -> int:
    """Close the feed's running run; the caller holds the feed's lock, so the process of the run has ended."""
    return close_failed(
        ExportRun.objects.filter(feed=feed_key, state=ExportRun.State.RUNNING),
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
