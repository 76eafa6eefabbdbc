"""The hourly jobs: what lies after the checkpoint, to the feed's webhook and into the lake.

A batch counts when the webhook has confirmed it; the rows are also kept as an object of the lake, with its manifest.
The webhook takes them in wire shape, and the object holds them in warehouse shape, so that it loads by column name.
The database's checkpoint moves in one transaction with the end of the run, after both have confirmed. When the webhook
stops taking rows half-way, the run fails, and what was confirmed before is kept: object, manifest and checkpoint.
"""

from dataclasses import replace
from typing import Literal

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from reporting.checkpoints.moves import move
from reporting.checkpoints.stores import CheckpointError, DatabaseStore, LakeStore, NoStore, Point, starting_point
from reporting.exports.claims import NothingToExportError
from reporting.exports.delivery import Progress, deliver
from reporting.exports.progress import Meter
from reporting.exports.sinks import BatchSink, Limits, SinkError
from reporting.exports.sinks.lake import LakeSink
from reporting.exports.sources import Scope
from reporting.exports.sources.database import DatabaseSource, rows_in_scope
from reporting.feeds import Feed
from reporting.feeds.lines import Line, in_warehouse_shape
from reporting.lake import storage
from reporting.models import ExportRun
from smplat.lib.times import iso
from smplat.lib.words import counted

#: What the lake takes at once where there is no webhook.
_KEPT_AT_ONCE = Limits(rows=1_000, bytes=8 * 1024 * 1024)


class WebhookAndLake:
    """Sends each batch to the webhook, where there is one, and keeps what that has confirmed for the lake.

    ``confirms_each`` lets the checkpoint follow the webhook; the caller commits before it moves the checkpoint.

    Attributes:
        shape: the shape in which it takes rows: the webhook's, where there is one.
    """

    confirms_each: Literal[True] = True

    def __init__(self, feed: Feed, webhook: BatchSink | None, kept: LakeSink) -> None:
        self._feed, self._webhook, self._kept = feed, webhook, kept
        self.limits: Limits = _KEPT_AT_ONCE if webhook is None else webhook.limits
        self.shape = feed.lake_shape if webhook is None else "wire"

    @property
    def bytes(self) -> int:
        """The size of the object, once it is committed."""
        return self._kept.bytes

    def write(self, lines: list[Line]) -> None:
        """Deliver a batch, and keep it once it is confirmed."""
        if self._webhook is None:
            self._kept.write(lines)
            return
        kept = [in_warehouse_shape(self._feed, line) for line in lines]
        self._webhook.write(lines)
        self._kept.write(kept)

    def commit(self) -> list[str]:
        return self._kept.commit()

    def abort(self) -> None:
        """Forget what was kept, and leave the webhook."""
        self._kept.abort()
        if self._webhook is not None:
            self._webhook.abort()


def export(run: ExportRun) -> None:
    """Carry out a run that holds its feed.

    Raises:
        NothingToExportError: there is no row after the checkpoint.
        reporting.exports.sinks.SinkError: nothing was confirmed, and the checkpoint did not move.
        reporting.checkpoints.stores.CheckpointError: the checkpoint cannot be used.
        reporting.feeds.fence.FenceTimeoutError: writers of the table did not end.
    """
    feed = run.definition
    mirror = LakeStore(settings.CHECKPOINT_URIS[feed.key], feed.key)
    database = DatabaseStore(feed.key, run)
    point, note = starting_point(database, mirror)
    run.checkpoint_before = point.as_json() if point else None
    if note:
        run.log(note)
    sink = WebhookAndLake(feed, _webhook(feed), LakeSink(feed, settings.LAKE_URI, run.pk, feed.lake_shape))
    try:
        progress, failure = _deliver(run, point, sink)
        if progress.point is None:
            _refresh(run, mirror, database)
            raise NothingToExportError
        reached = _keep(run, progress, progress.point, sink)
    finally:
        sink.abort()
    _end(run, reached, failure)
    _mirror(run, mirror, reached)


def _webhook(feed: Feed) -> BatchSink | None:
    if not (url := getattr(settings, feed.webhook_setting)):
        return None
    # An HTTP client is a tenth of what a run with nothing new imports.
    from reporting.exports.sinks.webhook import WebhookSink

    return WebhookSink(feed, url, feed.webhook_setting, settings.ANALYTICS_WEBHOOK_SECRETS)


def _deliver(run: ExportRun, point: Point | None, sink: WebhookAndLake) -> tuple[Progress, SinkError | None]:
    """Deliver part after part; return how far that went, and what stopped it, if anything."""
    rows = rows_in_scope(Scope(run.definition), point)
    run.log(f"Reads positions {rows.after + 1} to {rows.until}.")
    meter, progress = Meter(run, rows.count()), Progress()
    try:
        # The checkpoint moves with the end of the run alone.
        deliver(DatabaseSource(rows, sink.shape), NoStore(), sink, progress, lambda now: meter.note(now.rows))
    except SinkError as failure:
        if progress.point is None:
            raise
        return progress, failure
    return progress, None


def _keep(run: ExportRun, progress: Progress, last: Point, sink: WebhookAndLake) -> Point:
    """Put the confirmed rows into the lake and return the checkpoint after them."""
    run.log(f"Delivered {counted(progress.rows, 'row')}, up to position {last.position}.")
    run.object_uri, manifest = sink.commit()
    run.rows, run.bytes = progress.rows, sink.bytes
    run.log(f"Wrote {counted(run.bytes, 'byte')} to {run.object_uri}, and the manifest {manifest}.")
    return replace(last, rows=progress.rows, updated_at=iso(timezone.now()))


def _end(run: ExportRun, reached: Point, failure: SinkError | None) -> None:
    """Move the checkpoint and end the run, both or neither."""
    run.checkpoint_after = reached.as_json()
    with transaction.atomic():
        move(run.feed, reached, run=run)
        if failure is None:
            run.close(ExportRun.State.SUCCEEDED, "")
        else:
            kept = f"{counted(reached.rows, 'row')} delivered before and kept; the checkpoint stands at {reached}."
            run.close(ExportRun.State.FAILED, f"{failure}. {kept}")


def _mirror(run: ExportRun, mirror: LakeStore, reached: Point) -> None:
    """Copy the checkpoint to where other hosts look for it, with links to what the run made."""
    workflow_url = settings.WORKFLOW_URLS[run.feed] or run.absolute_url
    links = {"downloadUrl": storage.download_url(run.object_uri), "workflowUrl": workflow_url}
    _write_copy(run, mirror, replace(reached, extra=links))


def _refresh(run: ExportRun, mirror: LakeStore, database: DatabaseStore) -> None:
    """Write the copy anew where nothing was exported: it may differ, and its download link does not live for ever."""
    point = database.read()
    artifact = ExportRun.objects.newest_artifact_of_each_feed().filter(feed=run.feed).first()
    if point is not None and artifact is not None:
        _mirror(artifact, mirror, point)


def _write_copy(run: ExportRun, mirror: LakeStore, point: Point) -> None:
    """Write the copy; one that is behind only makes other hosts repeat rows, so it does not fail the run."""
    try:
        mirror.write(point)
    except CheckpointError as error:
        run.log(f"The checkpoint's copy is behind: {error}. The next run writes it again.")
    else:
        run.log(f"Wrote the checkpoint's copy to {mirror.name}.")
