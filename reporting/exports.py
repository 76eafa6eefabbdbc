"""Export runs: claim → rows → spool → object → manifest → status → snapshot → checkpoint and end of the run.

Each step is safe to repeat. Until the last one, which moves the checkpoint and ends the run in one transaction, the
next run starts from the same checkpoint and writes an object of its own.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import orjson
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from reporting import lake, slack
from reporting.claims import AlreadyRunning, claimed
from reporting.feeds import Feed
from reporting.models import Checkpoint, ExportRun
from reporting.receipts import Receipt, Tally, manifest_uri
from reporting.rows import FenceTimeout, fence, rows_for_object
from reporting.shapes import model_of, ndjson, wire
from reporting.status import METRICS, status_json

logger = logging.getLogger(__name__)
FENCE_PATIENCE = timedelta(seconds=60)
State = ExportRun.State
#: What a run may fail of; anything else is a defect, which closes the run too and is raised.
FAILURES = (lake.LakeError, FenceTimeout, DatabaseError, OSError)


class NothingToExport(Exception):
    """The feed holds no row."""


@dataclass(frozen=True)
class Spool:
    """The lines of an object, in a file on this machine, and what was counted in them."""

    file: IO[bytes]
    tally: Tally
    metrics: dict[str, object]
    positions: tuple[int, int]
    last_time: datetime


def request_run(feed: Feed, trigger: ExportRun.Trigger, user_id: int | None = None) -> ExportRun:
    """Record that a run of ``feed`` is wanted."""
    return ExportRun.objects.create(feed=feed.key, trigger=trigger, requested_by_id=user_id)


def perform(run: ExportRun) -> ExportRun:
    """Carry out a queued run to its end, and tell Slack.

    Returns:
        The run in its final state: succeeded, failed (with ``error``), or skipped, because another run of the feed is
        in progress or there is nothing to export.
    """
    try:
        with claimed(run):
            _perform_claimed(run)
    except AlreadyRunning as reason:
        _close(run, State.SKIPPED, f"Skipped: {reason}.")
        return run
    _tell_slack(run)
    return run


def close_unqueued(run: ExportRun) -> None:
    """End a run that could not be handed to a worker."""
    _close(run, State.FAILED, "The broker cannot be reached, so no worker can be told. Nothing was exported.")


def _perform_claimed(run: ExportRun) -> None:
    try:
        _export(run)
    except NothingToExport:
        _close(run, State.SKIPPED, "Skipped: there are no events to export.")
    except FAILURES as error:
        logger.exception("Export run %s of %s failed", run.pk, run.feed)
        _close(run, State.FAILED, f"{_sentence(error)} The checkpoint did not move; the next run starts from it.")
    except BaseException as error:
        _close(run, State.FAILED, f"A defect stopped the run ({type(error).__name__}); the log of the worker has more.")
        raise


def _export(run: ExportRun) -> None:
    feed, target = run.definition, settings.EXPORT_TARGETS[run.feed]
    checkpoint = Checkpoint.objects.filter(pk=feed.key).first()
    run.checkpoint_before = checkpoint.as_json() if checkpoint else None
    with _spooled(feed, checkpoint.position if checkpoint else 0) as spool:
        run.log(f"Read {spool.tally.rows} rows, positions {spool.positions[0]} to {spool.positions[1]}.")
        receipt = _upload(run, spool, object_uri(feed, target.root_uri, run))
        synced_at = timezone.now()
        run.status = status_json(
            feed.key,
            synced_at,
            receipt.rows,
            (lake.download_url(receipt.object), target.workflow_url or run_url(run)),
            lake.key_of(receipt.object, target.root_uri),
            spool.metrics,
        )
        lake.write(target.status_uri, orjson.dumps(run.status, option=orjson.OPT_INDENT_2))
        run.log(f"Wrote the status to {target.status_uri}.")
        _replace_snapshot(feed, spool)
    _succeed(run, receipt, spool)


def object_uri(feed: Feed, root_uri: str, run: ExportRun) -> str:
    """Where a run's object lies; the run's id in it keeps two runs from ever sharing a key."""
    now = datetime.now(UTC)
    return f"{root_uri}/{feed.folder}/{now:%Y/%m/%d}/{now:%Y%m%dT%H%M%S.%fZ}-{run.pk}.ndjson"


def run_url(run: ExportRun) -> str:
    """The absolute URL of the run's page."""
    return f"{settings.PUBLIC_BASE_URL}{run.get_absolute_url()}"


@contextmanager
def _spooled(feed: Feed, after: int) -> Iterator[Spool]:
    """Write the lines of the next object to a file, count them in it, and remove it in the end."""
    model = model_of(feed)
    rows = rows_for_object(model, feed.window or 0, after, fence(model, FENCE_PATIENCE))
    sources = {field.source for field in feed.wire} | {"position", feed.time_column}
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.SPOOL_DIR) as file:
        first = last = last_time = None
        for values in rows.values(*sources).iterator(chunk_size=500):
            file.write(ndjson(wire(feed, values)))
            first, last, last_time = first or values["position"], values["position"], values[feed.time_column]
        if first is None or last is None or last_time is None:
            raise NothingToExport
        tally, metrics = _count(feed, file)
        yield Spool(file, tally, metrics, (first, last), last_time)


def _count(feed: Feed, file: IO[bytes]) -> tuple[Tally, dict[str, object]]:
    tally, metrics = Tally(), METRICS[feed.key]()
    file.seek(0)
    for line in file:
        metrics.add(tally.add(line))
    return tally, metrics.metrics()


def _upload(run: ExportRun, spool: Spool, uri: str) -> Receipt:
    spool.file.seek(0)
    lake.write(uri, spool.file)
    receipt = spool.tally.receipt(run.feed, uri, spool.positions, str(run.pk), timezone.now())
    run.log(f"Wrote {receipt.bytes} bytes to {uri}.")
    lake.write(manifest_uri(uri), receipt.as_json())
    run.log(f"Wrote the manifest; SHA-256 of the object is {receipt.sha256}.")
    return receipt


def _replace_snapshot(feed: Feed, spool: Spool) -> None:
    """Replace the snapshot on this machine's disk by the newest events of the object, as many as the window holds."""
    directory: Path = settings.LOCAL_SNAPSHOT_DIR
    directory.mkdir(parents=True, exist_ok=True)
    superfluous = spool.tally.rows - (feed.window or 0)
    spool.file.seek(0)
    with tempfile.NamedTemporaryFile(dir=directory, delete=False) as fresh:
        for index, line in enumerate(spool.file):
            if index >= superfluous:
                fresh.write(line)
    os.replace(fresh.name, directory / feed.snapshot_name)


def _succeed(run: ExportRun, receipt: Receipt, spool: Spool) -> None:
    """Move the checkpoint and end the run, both or neither."""
    with transaction.atomic():
        checkpoint, _ = Checkpoint.objects.update_or_create(
            feed=run.feed,
            defaults={
                "position": receipt.lastPosition,
                "cursor": spool.last_time,
                "rows": receipt.rows,
                "updated_at": timezone.now(),
            },
        )
        run.rows, run.bytes, run.object_uri = receipt.rows, receipt.bytes, receipt.object
        run.checkpoint_after = checkpoint.as_json()
        _close(run, State.SUCCEEDED, "")


def _close(run: ExportRun, state: ExportRun.State, error: str) -> None:
    """End the run, unless someone else has; a run that was closed as crashed cannot succeed any more."""
    run.state, run.error, run.finished_at = state, error, timezone.now()
    fields = ("state", "error", "finished_at", "rows", "bytes", "object_uri", "status")
    changes = {name: getattr(run, name) for name in (*fields, "checkpoint_before", "checkpoint_after")}
    open_run = ExportRun.objects.filter(pk=run.pk, state__in=[State.QUEUED, State.RUNNING])
    if open_run.update(**changes) != 1 and state == State.SUCCEEDED:
        raise DatabaseError("the run was closed by another process, which found this one's database session gone")
    run.log(error or f"Succeeded; the checkpoint moved to position {(run.checkpoint_after or {})['position']}.")


def _tell_slack(run: ExportRun) -> None:
    webhook = settings.EXPORT_TARGETS[run.feed].slack_webhook
    if not webhook:
        return
    label, link = slack.escape(run.definition.label), f"<{run_url(run)}|run>"
    outcome = f"{run.rows} rows exported" if run.state == State.SUCCEEDED else slack.escape(run.error)
    if problem := slack.post(webhook, f"*{label}*: {run.state}. {outcome} ({link})"):
        run.log(f"{problem}; the run is not affected.")


def _sentence(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return f"{text[0].upper()}{text[1:]}".rstrip(".") + "."
