"""How export runs end: in one final state, told to Slack."""

from django.db import DatabaseError
from django.utils import timezone

from reporting.models import ExportRun


class NothingToExport(Exception):
    """There is no row to export."""


def close(run: ExportRun, state: ExportRun.State, error: str) -> None:
    """End the run, unless someone else has; a run that was closed as crashed cannot succeed any more."""
    run.state, run.error, run.finished_at = state, error, timezone.now()
    fields = ("state", "error", "finished_at", "rows", "bytes", "object_uri", "status", "live_metrics")
    changes = {name: getattr(run, name) for name in (*fields, "checkpoint_before", "checkpoint_after")}
    open_run = ExportRun.objects.filter(pk=run.pk, state__in=[ExportRun.State.QUEUED, ExportRun.State.RUNNING])
    if open_run.update(**changes) != 1 and state == ExportRun.State.SUCCEEDED:
        raise DatabaseError("the run was closed by another process, which found this one's database session gone")
    run.log(error or f"Succeeded; the checkpoint stands at position {(run.checkpoint_after or {})['position']}.")
