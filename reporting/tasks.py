"""Background tasks of reporting: doors to one function each."""

from celery import shared_task

from reporting.accounting import ledger, retention
from reporting.alerts import outbox
from reporting.exports import claims, runs
from reporting.feeds import FEEDS
from reporting.insights import automation, conversion_totals, health
from reporting.warehouse import loading, parity
from telemetry import refusals


@shared_task(name="reporting.export_on_schedule")
def export_on_schedule(feed_key: str) -> None:
    runs.perform_on_schedule(FEEDS[feed_key])
    health.look()


@shared_task(name="reporting.export_requested")
def export_requested(run_id: str) -> None:
    """Carry out a run that an operator asked for."""
    runs.perform_requested(run_id)
    health.look()


@shared_task(name="reporting.close_crashed_runs")
def close_crashed_runs() -> None:
    """Close runs that crashed or were forgotten, and hand those over again that a worker has still to take."""
    claims.close_crashed_runs()
    runs.hand_over_again()


@shared_task(name="reporting.apply_retention")
def apply_retention() -> None:
    retention.apply()


@shared_task(name="reporting.deliver_slack")
def deliver_slack() -> None:
    outbox.deliver()


@shared_task(name="reporting.alert_on_providers")
def alert_on_providers() -> None:
    """Look for providers that breach their guardrails, and tell Slack."""
    automation.run()


@shared_task(name="reporting.load_warehouse")
def load_warehouse() -> None:
    """Load the warehouse from the lake, and have it compared with the desk afterwards."""
    loading.load_on_schedule()
    check_parity.delay()


@shared_task(name="reporting.check_parity")
def check_parity() -> None:
    parity.check_on_schedule()
    health.look()


@shared_task(name="reporting.repair_warehouse")
def repair_warehouse() -> None:
    """Put the rows that the warehouse lacks on the stage, where operators have asked for it, and load it."""
    if parity.repair_on_request():
        load_warehouse.delay()


@shared_task(name="reporting.fold_conversions")
def fold_conversions() -> None:
    """Add new assignments to the totals of the conversions."""
    conversion_totals.fold()


@shared_task(name="reporting.fold_ledger")
def fold_ledger() -> None:
    """Add new tallies and rows to the totals of the ledger, and forget refused events beyond their bounds."""
    ledger.fold()
    refusals.prune()


@shared_task(name="reporting.look_at_health")
def look_at_health() -> None:
    """Look at the desk's health now, since an operator has done something about it."""
    health.look()
