"""The telemetry jobs: rows → spool → object → manifest → status → snapshot → checkpoint and end of the run.

Each step is safe to repeat. Until the last one, which moves the checkpoint and ends the run in one transaction, the
next run starts from the same checkpoint and writes an object of its own.
"""

import os
import tempfile
from itertools import islice
from pathlib import Path

import orjson
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from reporting.checkpoints.moves import move
from reporting.checkpoints.stores import Point
from reporting.exports.claims import NothingToExportError
from reporting.exports.progress import Meter
from reporting.exports.sources.database import rows_of_job
from reporting.exports.status import status_json
from reporting.feeds import Feed
from reporting.feeds.fence import FENCE_TIMEOUT
from reporting.feeds.lines import RowRange
from reporting.feeds.metrics import metrics_of
from reporting.lake import storage
from reporting.lake.manifests import Receipt
from reporting.lake.writer import ObjectWriter, object_uri
from reporting.models import Checkpoint, ExportRun
from smplat.lib.times import iso
from smplat.lib.words import counted

#: Rows that are read at once, few enough for the memory where each is as large as an event may be.
_PART_ROWS = 500


def export(run: ExportRun) -> None:
    """Carry out a run that holds its feed.

    Raises:
        NothingToExportError: the feed holds no row.
        reporting.lake.storage.LakeError: the lake or the spool cannot be used.
        reporting.feeds.fence.FenceTimeoutError: writers of the table did not end.
    """
    feed, target = run.definition, settings.EXPORT_TARGETS[run.feed]
    checkpoint = Checkpoint.objects.filter(pk=feed.key).first()
    run.checkpoint_before = checkpoint.as_json() if checkpoint else None
    rows = rows_of_job(feed, checkpoint.position if checkpoint else 0, FENCE_TIMEOUT)
    with ObjectWriter(feed, feed.lake_shape) as writer:
        metrics = _spool(run, rows, writer)
        receipt = _upload(run, writer, object_uri(feed, target.root_uri, run.pk))
        run.status = status_json(
            feed,
            timezone.now(),
            receipt.rows,
            (storage.download_url(receipt.object), target.workflow_url or run.absolute_url),
            storage.key_of(receipt.object, target.root_uri),
            metrics,
        )
        storage.write(target.status_uri, orjson.dumps(run.status, option=orjson.OPT_INDENT_2))
        run.log(f"Wrote the status to {target.status_uri}.")
        run.live_metrics = metrics_of(feed).stored(*writer.figures.positions)
        _replace_snapshot(feed, writer)
    _succeed(run, receipt)


def _spool(run: ExportRun, rows: RowRange, writer: ObjectWriter) -> dict[str, object]:
    """Add the rows to the object, in the order of their positions, and return the metrics of its lines."""
    meter, metrics = Meter(run, rows.count()), metrics_of(run.definition)()
    for part in rows.parts(_PART_ROWS):
        meter.note(writer.figures.rows)
        lines = []
        for line in part.lines(run.definition.lake_shape, by_position=True):
            row = orjson.loads(line.json)
            metrics.add(row)
            # PostgreSQL writes JSON columns with spaces, which no other line has.
            lines.append(line._replace(json=orjson.dumps(row)))
        writer.add(lines)
    if not writer.figures.rows:
        raise NothingToExportError
    first, last = writer.figures.positions
    run.log(f"Read {counted(writer.figures.rows, 'row')}, positions {first} to {last}.")
    return metrics.metrics()


def _upload(run: ExportRun, writer: ObjectWriter, uri: str) -> Receipt:
    writer.put(uri)
    run.log(f"Wrote {counted(writer.size, 'byte')} to {uri}.")
    receipt = writer.seal(uri, str(run.pk))
    run.log(f"Wrote the manifest; SHA-256 of the object is {receipt.sha256}.")
    return receipt


def _replace_snapshot(feed: Feed, writer: ObjectWriter) -> None:
    """Replace the snapshot on this machine's disk by the newest events of the object, as many as the window holds."""
    directory: Path = settings.LOCAL_SNAPSHOT_DIR
    directory.mkdir(parents=True, exist_ok=True)
    superfluous = max(writer.figures.rows - (feed.window or 0), 0)
    with tempfile.NamedTemporaryFile(dir=directory, delete=False) as fresh:
        fresh.writelines(islice(writer.spooled(), superfluous, None))
    os.replace(fresh.name, directory / feed.snapshot_name)


def _succeed(run: ExportRun, receipt: Receipt) -> None:
    """Move the checkpoint and end the run, both or neither."""
    point = Point(run.feed, receipt.lastRecordedAt, receipt.lastPosition, receipt.rows, iso(timezone.now()))
    run.rows, run.bytes, run.object_uri = receipt.rows, receipt.bytes, receipt.object
    with transaction.atomic():
        move(run.feed, point, run=run)
        run.checkpoint_after = Checkpoint.objects.get(pk=run.feed).as_json()
        run.close(ExportRun.State.SUCCEEDED, "")
