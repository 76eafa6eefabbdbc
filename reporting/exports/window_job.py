"""The telemetry jobs: rows → spool → object → manifest → status → snapshot → checkpoint and end of the run.

Each step is safe to repeat. Until the last one, which moves the checkpoint and ends the run in one transaction, the
next run starts from the same checkpoint and writes an object of its own.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

import orjson
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from reporting.checkpoints.moves import move
from reporting.checkpoints.stores import Point
from reporting.exports.claims import NothingToExportError
from reporting.exports.progress import Meter
from reporting.exports.sinks.lake import object_uri
from reporting.exports.status import status_json
from reporting.feeds import Feed
from reporting.feeds.fence import FENCE_TIMEOUT, fence
from reporting.feeds.metrics import metrics_of
from reporting.feeds.shapes import model_of, ndjson, wire
from reporting.lake import storage
from reporting.lake.manifests import Receipt, Tally, manifest_uri
from reporting.models import Checkpoint, ExportRun
from smplat.lib.times import iso


@dataclass(frozen=True)
class Spool:
    """The lines of an object, in a file on this machine, and what was counted in them."""

    file: IO[bytes]
    tally: Tally
    metrics: dict[str, object]
    positions: tuple[int, int]
    last_time: datetime


def export(run: ExportRun) -> None:
    """Carry out a run that holds its feed.

    Raises:
        NothingToExportError: the feed holds no row.
        reporting.lake.storage.LakeError: the lake cannot be used.
        reporting.feeds.fence.FenceTimeoutError: writers of the table did not end.
    """
    feed, target = run.definition, settings.EXPORT_TARGETS[run.feed]
    checkpoint = Checkpoint.objects.filter(pk=feed.key).first()
    run.checkpoint_before = checkpoint.as_json() if checkpoint else None
    with _spooled(run, checkpoint.position if checkpoint else 0) as spool:
        run.log(f"Read {spool.tally.rows} rows, positions {spool.positions[0]} to {spool.positions[1]}.")
        receipt = _upload(run, spool, object_uri(feed, target.root_uri, run.pk))
        synced_at = timezone.now()
        run.status = status_json(
            feed,
            synced_at,
            receipt.rows,
            (storage.download_url(receipt.object), target.workflow_url or run.absolute_url),
            storage.key_of(receipt.object, target.root_uri),
            spool.metrics,
        )
        storage.write(target.status_uri, orjson.dumps(run.status, option=orjson.OPT_INDENT_2))
        run.log(f"Wrote the status to {target.status_uri}.")
        run.live_metrics = metrics_of(feed).stored(*spool.positions)
        _replace_snapshot(feed, spool)
    _succeed(run, receipt, spool)


@contextmanager
def _spooled(run: ExportRun, after: int) -> Iterator[Spool]:
    """Write the lines of the next object to a file, count them in it, and remove it in the end."""
    feed = run.definition
    model = model_of(feed)
    rows = model.objects.for_object(feed.window or 0, after, fence(model, FENCE_TIMEOUT))
    meter = Meter(run, rows.count())
    sources = {field.source for field in feed.wire} | {"position", feed.time_column}
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.SPOOL_DIR) as file:
        first = last = last_time = None
        for number, values in enumerate(rows.values(*sources).iterator(chunk_size=500)):
            meter.note(number)
            file.write(ndjson(wire(feed, values)))
            first, last, last_time = first or values["position"], values["position"], values[feed.time_column]
        if first is None or last is None or last_time is None:
            raise NothingToExportError
        tally, metrics = _count(feed, file)
        yield Spool(file, tally, metrics, (first, last), last_time)


def _count(feed: Feed, file: IO[bytes]) -> tuple[Tally, dict[str, object]]:
    tally, metrics = Tally(), metrics_of(feed)()
    file.seek(0)
    for line in file:
        metrics.add(tally.add(line))
    return tally, metrics.metrics()


def _upload(run: ExportRun, spool: Spool, uri: str) -> Receipt:
    spool.file.seek(0)
    storage.write(uri, spool.file)
    receipt = spool.tally.receipt(run.feed, uri, spool.positions, str(run.pk), timezone.now())
    run.log(f"Wrote {receipt.bytes} bytes to {uri}.")
    storage.write(manifest_uri(uri), receipt.as_json())
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
        point = Point(run.feed, iso(spool.last_time), receipt.lastPosition, receipt.rows, iso(timezone.now()))
        move(run.feed, point, run=run)
        run.rows, run.bytes, run.object_uri = receipt.rows, receipt.bytes, receipt.object
        run.checkpoint_after = Checkpoint.objects.get(pk=run.feed).as_json()
        run.close(ExportRun.State.SUCCEEDED, "")
