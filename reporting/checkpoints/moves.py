"""Moves of the database's checkpoints, each with its history."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.utils import timezone

from reporting.checkpoints.content import CheckpointError, Point
from reporting.models import Checkpoint, CheckpointMove, ExportRun


def move(
    feed: str,
    to: Point,
    *,
    run: ExportRun | None = None,
    user: User | None = None,
    reason: CheckpointMove.Reason = CheckpointMove.Reason.EXPORT,
    undoes: CheckpointMove | None = None,
) -> CheckpointMove:
    """Move the checkpoint of ``feed`` in the database, and keep the move, both or neither.

    Called in a transaction, it becomes part of it, so that a run's end and its checkpoint are one. Moves of one feed
    come one after the other: the row stays locked until the transaction ends.

    Args:
        feed: the feed's key.
        to: where the checkpoint goes, with position and time.
        run: the run that moves it.
        user: who moves it; by default who asked for the run.
        reason: why it moves.
        undoes: the move that this one takes back.

    Raises:
        CheckpointError: ``to`` lacks its position or time, or belongs to another feed.
        DatabaseError: the run was closed by another process.
    """
    values = _columns(feed, to)
    with transaction.atomic():
        _require_open(run)
        checkpoint, is_new = Checkpoint.objects.select_for_update().get_or_create(feed=feed, defaults=values)
        if not is_new:
            Checkpoint.objects.filter(pk=feed).update(**values)
        return CheckpointMove.objects.create(
            feed=feed,
            from_position=None if is_new else checkpoint.position,
            from_cursor=None if is_new else checkpoint.cursor,
            to_position=values["position"],
            to_cursor=values["cursor"],
            run=run,
            user_id=user.pk if user else run.requested_by_id if run else None,
            reason=reason,
            undoes=undoes,
        )


def _columns(feed: str, to: Point) -> dict[str, Any]:
    if to.position is None or to.cursor is None or to.feed != feed:
        raise CheckpointError(f"the checkpoint of {feed} needs a position and a time of that feed, not {to.as_json()}")
    return {
        "position": to.position,
        "cursor": datetime.fromisoformat(to.cursor),
        "rows": to.rows,
        "updated_at": datetime.fromisoformat(to.updated_at) if to.updated_at else timezone.now(),
    }


def _require_open(run: ExportRun | None) -> None:
    """Hold the row of ``run`` against whoever might close it as crashed, until the transaction ends."""
    if run is None:
        return
    if not ExportRun.objects.open().select_for_update(no_key=True).filter(pk=run.pk).exists():
        raise DatabaseError("the run was closed by another process, which found this one's database session gone")
