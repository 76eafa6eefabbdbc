"""Moves of a checkpoint on purpose: a rewind, after which rows are exported again, and the way back.

Both need the feed to themselves. A run that was in progress would move the checkpoint to its own end afterwards, and
what the rewind was for would not happen.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from reporting.alerts.runs import close_dead
from reporting.checkpoints.moves import move
from reporting.checkpoints.stores import CheckpointError, Point
from reporting.feeds import FEEDS
from reporting.feeds.lock import FeedBusyError, held
from reporting.feeds.shapes import model_of
from reporting.models import AuditEntry, Checkpoint, CheckpointMove, ExportRun
from smplat.lib.times import iso

#: Rows are counted up to here, since a rewind may go back over the whole table.
MAX_COUNTED = 10_000
Reason = CheckpointMove.Reason


@dataclass(frozen=True)
class Plan:
    """What a rewind would do.

    Attributes:
        checkpoint: the checkpoint as it is.
        to: where it would go.
        rows: how many rows would be exported again; those beyond ``MAX_COUNTED`` count as one.
    """

    checkpoint: Checkpoint
    to: Point
    rows: int


def plan(feed: str, *, to_time: datetime | None = None, to_position: int | None = None) -> Plan:
    """Find out what a rewind would do, without doing it.

    Args:
        feed: the feed's key.
        to_time: rows of this time and later are to be exported again. The checkpoint moves to the position before the
            first of them, so that rows which got an earlier time and were committed late are among them.
        to_position: rows after this position are to be exported again. One of the two is given.

    Raises:
        CheckpointError: there is no checkpoint, or the target does not lie before it.
    """
    checkpoint = Checkpoint.objects.filter(pk=feed).first()
    if checkpoint is None:
        raise CheckpointError(f"{feed} has no checkpoint yet; its next export starts at the first row anyway")
    if (to_time is None) == (to_position is None):
        raise CheckpointError("a rewind goes to a time or to a position: give one of them")
    position = to_position if to_position is not None else _position_before(checkpoint, to_time)
    if not 0 <= position < checkpoint.position:
        raise CheckpointError(
            f"cannot rewind {feed} to position {position}: "
            f"allowed is one from 0 to {checkpoint.position - 1}, before the checkpoint"
        )
    again = _rows(feed).filter(position__gt=position, position__lte=checkpoint.position)
    to = _point(checkpoint, position, to_time or _time_at(feed, position))
    return Plan(checkpoint, to, again[: MAX_COUNTED + 1].count())


def rewind(
    feed: str, user: User | None, *, to_time: datetime | None = None, to_position: int | None = None
) -> CheckpointMove:
    """Move the checkpoint of ``feed`` back, as :func:`plan` says.

    Raises:
        CheckpointError: a run of the feed is in progress, or the target is not allowed.
    """
    with _alone_with(feed):
        to = plan(feed, to_time=to_time, to_position=to_position).to
        made = move(feed, to, user=user, reason=Reason.REWIND)
        _note(made, user, AuditEntry.Action.REWIND_CHECKPOINT)
        return made


def undo(last: CheckpointMove, user: User | None) -> CheckpointMove:
    """Move a checkpoint back to where ``last`` took it from; before the first row, if there was no checkpoint.

    Raises:
        CheckpointError: a run of the feed is in progress, or ``last`` is not the newest move.
    """
    with _alone_with(last.feed):
        newest = CheckpointMove.objects.of(last.feed).first()
        if newest != last:
            raise CheckpointError(f"only the newest move of {last.feed} can be undone, which is now: {newest}")
        position = last.from_position or 0
        to = _point(Checkpoint.objects.get(pk=last.feed), position, last.from_cursor or _time_at(last.feed, position))
        made = move(last.feed, to, user=user, reason=Reason.UNDO, undoes=last)
        _note(made, user, AuditEntry.Action.UNDO_REWIND)
        return made


def _note(made: CheckpointMove, user: User | None, action: AuditEntry.Action) -> None:
    if user is not None:
        AuditEntry.objects.log(user, action, made.feed, move=made.pk, to_position=made.to_position)


@contextmanager
def _alone_with(feed: str) -> Iterator[None]:
    """Hold the feed against runs, and make the block one transaction, which ends before the feed is given back."""
    try:
        with held(feed):
            # A process that lost its session, and lives, must not move the checkpoint once this move is done.
            close_dead(ExportRun.objects.of(feed))
            with transaction.atomic():
                yield
    except FeedBusyError as error:
        raise CheckpointError(f"the checkpoint cannot move now: {error}; try again when it has ended") from error


def _position_before(checkpoint: Checkpoint, to_time: datetime | None) -> int:
    """The position before the first exported row that is as old as ``to_time`` or younger."""
    if to_time is None or to_time > timezone.now():
        raise CheckpointError(f"cannot rewind {checkpoint.feed} into the future, to {to_time and iso(to_time)}")
    exported = _rows(checkpoint.feed).filter(position__lte=checkpoint.position)
    younger = exported.filter(**{f"{FEEDS[checkpoint.feed].time_column}__gte": to_time})
    first: int | None = younger.aggregate(first=Min("position"))["first"]
    if first is None:
        raise CheckpointError(
            f"nothing to export again: no exported row of {checkpoint.feed} is of {iso(to_time)} or later"
        )
    return first - 1


def _time_at(feed: str, position: int) -> datetime | None:
    """The time of the row at ``position`` or the next one before it, or else of the first row after it."""
    rows = _rows(feed).values_list(FEEDS[feed].time_column, flat=True)
    before = rows.filter(position__lte=position).order_by("-position").first()
    at: datetime | None = before or rows.filter(position__gt=position).order_by("position").first()
    return at


def _point(checkpoint: Checkpoint, position: int, at: datetime | None) -> Point:
    # A move on purpose is no run, so that the rows of the last run stay.
    return Point(checkpoint.feed, iso(at or checkpoint.cursor), position, checkpoint.rows, iso(timezone.now()))


def _rows(feed: str) -> QuerySet[Any]:
    return model_of(FEEDS[feed]).objects.all()
