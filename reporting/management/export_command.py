"""What the export commands have in common: flags, sinks, progress and exit codes."""

import argparse
import gc
import sys
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError

from reporting.alerts.runs import announce
from reporting.checkpoints import stores
from reporting.exports import runs
from reporting.exports.claims import NothingToExportError, claimed, skip
from reporting.exports.delivery import Progress, deliver
from reporting.exports.sinks import Sink, SinkError
from reporting.exports.sinks.lake import LakeSink
from reporting.exports.sinks.streams import FileSink, ReceiverGoneError, StdoutSink
from reporting.exports.sources import Scope, Source
from reporting.exports.sources.database import DatabaseSource, rows_in_scope
from reporting.feeds import Feed, cursors
from reporting.feeds.fence import FenceTimeoutError
from reporting.feeds.lock import FeedBusyError
from reporting.lake.storage import LakeError
from reporting.management.base import OneLineCommand
from reporting.models import ExportRun
from smplat.lib.addresses import is_lake_uri, is_url
from smplat.lib.words import counted

#: Each takes a session of the database, which has a hundred by default.
MAX_WORKERS = 16
_FAILURES = (SinkError, LakeError, FenceTimeoutError, DatabaseError, OSError, stores.CheckpointError)


class UsageError(CommandError):
    """The flags do not go together; exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, returncode=2)


class ExportCommand(OneLineCommand):
    """Exports a feed's rows, oldest first. Data goes to the sink alone; progress and summary go to stderr."""

    feed: ClassVar[Feed]
    #: Whether this host reaches the database.
    has_database: ClassVar[bool] = True

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--limit", type=positive_integer, metavar="ROWS", help="rows per message or page; the run goes on"
        )
        parser.add_argument("--max-rows", type=positive_integer, metavar="ROWS", help="rows of the whole run")
        parser.add_argument("--sink", choices=("stdout", "file", "webhook", "s3"), default="stdout", help="where to")
        parser.add_argument("--file-path", type=Path, help=f"for --sink file; default {self.feed.file_name}")
        parser.add_argument("--append", action="store_true", help="for --sink file: keep what it holds, and add rows")
        parser.add_argument("--webhook-url", help=f"for --sink webhook; default {self.feed.webhook_setting}")
        parser.add_argument("--s3-uri", help="for --sink s3: s3://bucket/prefix or file:///folder; default LAKE_URI")
        parser.add_argument("--shape", choices=("wire", "warehouse"), default="wire", help="keys of the JSON")
        parser.add_argument("--gzip", action="store_true", help="compress the file or object")
        parser.add_argument("--cursor", type=moment, metavar="TIMESTAMP", help="start here, inclusive")
        parser.add_argument("--until", type=moment, metavar="TIMESTAMP", help="leave younger rows to a later run")
        if self.has_database:
            parser.add_argument("--format", choices=("ndjson", "csv"), default="ndjson", help="csv: warehouse columns")
            help_text = f"database sessions that share the work, 1 to {MAX_WORKERS}; the result is the same"
            parser.add_argument("--workers", type=workers, default=1, metavar="N", help=help_text)
        parser.add_argument("--dry-run", action="store_true", help="say what would be exported, and export nothing")
        self.add_store_arguments(parser)

    def add_store_arguments(self, parser: argparse.ArgumentParser) -> None:
        stores = ("none", "file", "s3", "db")
        parser.add_argument("--cursor-store", choices=stores, default="none", help="where the checkpoint lies")
        path_help = f"file or URI of the checkpoint; default {self.feed.checkpoint_name}, or the setting of the job"
        parser.add_argument("--cursor-store-path", metavar="PATH", help=path_help)

    def handle(self, *args: Any, **options: Any) -> None:
        """Export, and say how it ended."""
        scope, progress = self.scope(options), Progress()
        self._check_format(options)
        # What is loaded by now stays until the end; the collector need not walk it anew with every thousand rows.
        gc.freeze()
        try:
            store = self.store(options)
            if options["dry_run"]:
                self._dry_run(self.source(scope, store.read(), options))
                return
            if isinstance(store, stores.DatabaseStore):
                self._export_as_run(scope, progress, options)
            else:
                self._export(scope, store, progress, options)
        except ReceiverGoneError:
            return
        except KeyboardInterrupt:
            raise CommandError(f"Stopped by hand; {_kept(progress)}", returncode=1) from None
        except _FAILURES as error:
            raise CommandError(f"Failed: {error}; {_kept(progress)}", returncode=1) from error
        finally:
            gc.unfreeze()
        self._say(f"{counted(progress.rows, 'row')}, {counted(progress.bytes, 'byte')}; {_kept(progress)}")

    @staticmethod
    def _check_format(options: dict[str, Any]) -> None:
        if options.get("format") != "csv":
            return
        if options["sink"] not in {"stdout", "file"}:
            raise UsageError("--format csv goes with --sink stdout or file")
        for flag in ("append", "dry_run"):
            if options[flag]:
                raise UsageError(f"--{flag.replace('_', '-')} goes with --format ndjson")

    def _export(self, scope: Scope, store: stores.CheckpointStore, progress: Progress, options: dict[str, Any]) -> None:
        sink = self.sink(options)
        try:
            source = self.source(scope, store.read(), options)
            with Bar(self._say) as tell:
                deliver(source, store, sink, progress, tell, options["limit"])
        finally:
            sink.abort()

    def _export_as_run(self, scope: Scope, progress: Progress, options: dict[str, Any]) -> None:
        """Export as a run that holds the feed: the checkpoint is the one of the scheduled job."""
        run = runs.request_run(self.feed, ExportRun.Trigger.COMMAND)
        try:
            with claimed(run):
                store = stores.DatabaseStore(self.feed.key, run)
                run.checkpoint_before = point.as_json() if (point := store.read()) else None
                self._export(scope, store, progress, options)
                _succeed(run, progress)
        except FeedBusyError as reason:
            skip(run, reason)
            self._say(run.error)
            return
        except BaseException as error:
            run.close(ExportRun.State.FAILED, f"{str(error) or type(error).__name__}; {_kept(progress)}")
            announce(run)
            raise
        announce(run)

    def source(self, scope: Scope, point: stores.Point | None, options: dict[str, Any]) -> Source:
        """The rows after the checkpoint, from the database."""
        is_csv = options["format"] == "csv"
        return DatabaseSource(rows_in_scope(scope, point), scope.shape, options["workers"], is_csv)

    def scope(self, options: dict[str, Any]) -> Scope:
        return Scope(
            feed=self.feed,
            shape=options["shape"],
            cursor=options["cursor"],
            until=options["until"],
            max_rows=options["max_rows"],
        )

    def store(self, options: dict[str, Any]) -> stores.CheckpointStore:
        """The checkpoint that the flags name."""
        kind, path = options["cursor_store"], options["cursor_store_path"]
        if kind == "db" and options["cursor"] is not None:
            raise UsageError(
                "--cursor with --cursor-store db would skip rows of the jobs; rewind the checkpoint in the admin"
            )
        if kind == "file":
            return stores.FileStore(path or self.feed.checkpoint_name, self.feed.key, self.has_database)
        if kind == "s3":
            uri = path or settings.CHECKPOINT_URIS[self.feed.key]
            if not is_lake_uri(uri):
                raise UsageError("--cursor-store-path must be s3://bucket/key or file:///absolute/path")
            return stores.LakeStore(uri, self.feed.key, self.has_database)
        return stores.DatabaseStore(self.feed.key) if kind == "db" else stores.NoStore()

    def sink(self, options: dict[str, Any]) -> Sink:
        """The sink that the flags name."""
        if options["append"] and options["sink"] != "file":
            raise UsageError("--append goes with --sink file")
        if options["sink"] == "webhook" and options.get("workers", 1) > 1:
            raise UsageError("--workers goes with --sink stdout, file or s3: a webhook takes one batch after the other")
        return getattr(self, f"_{options['sink']}_sink")(options)  # type: ignore[no-any-return]

    def _stdout_sink(self, options: dict[str, Any]) -> Sink:
        if options["gzip"]:
            raise UsageError("--gzip goes with --sink file or s3; pipe standard output through gzip instead")
        return StdoutSink(sys.stdout.buffer)

    def _file_sink(self, options: dict[str, Any]) -> Sink:
        name = Path(self.feed.file_name).with_suffix(f".{options.get('format', 'ndjson')}")
        path = options["file_path"] or Path(f"{name}{'.gz' if options['gzip'] else ''}")
        return FileSink(path, gzip=options["gzip"], appends=options["append"])

    def _webhook_sink(self, options: dict[str, Any]) -> Sink:
        if options["shape"] != "wire":
            raise UsageError("--sink webhook carries the wire shape alone; leave --shape out")
        url, setting = options["webhook_url"], self.feed.webhook_setting
        # A receiver of a flag that is gone must not switch off the one of the hourly job.
        name, url = ("--webhook-url", url) if url else (setting, getattr(settings, setting))
        if not is_url(url, ("http", "https")):
            raise UsageError(f"--sink webhook needs an http(s) URL in --webhook-url or {setting}")
        # With it comes an HTTP client, which no other sink needs.
        from reporting.exports.sinks.webhook import WebhookSink

        secrets = settings.ANALYTICS_WEBHOOK_SECRETS
        return WebhookSink(self.feed, url, name, secrets, has_database=self.has_database)

    def _s3_sink(self, options: dict[str, Any]) -> Sink:
        uri = (options["s3_uri"] or settings.LAKE_URI).rstrip("/")
        if not is_lake_uri(uri):
            raise UsageError("--s3-uri must be s3://bucket/prefix or file:///absolute/folder")
        return LakeSink(self.feed, uri, str(uuid.uuid4()), options["shape"], gzip=options["gzip"])

    def _dry_run(self, source: Source) -> None:
        size = source.size()
        keys = f"keys {size.first_key} to {size.last_key}" if size.rows else "no keys"
        self._say(
            f"Would export {counted(size.rows, 'row')}, {counted(size.bytes, 'byte')}, {keys}. Nothing was exported."
        )

    def _say(self, text: str) -> None:
        self.stderr.write(text, style_func=str)


class Bar:
    """Shows progress on stderr: a bar on a terminal, a line now and then elsewhere."""

    _ROWS_PER_LINE = 100_000

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._told = 0
        self._bar = None
        if sys.stderr.isatty():
            # Nobody watches an hourly export.
            from tqdm import tqdm

            self._bar = tqdm(unit=" rows", file=sys.stderr, leave=False)

    def __enter__(self) -> Callable[[Progress], None]:
        return self._update

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _update(self, progress: Progress) -> None:
        if self._bar is not None:
            self._bar.update(progress.rows - self._bar.n)
        elif progress.rows - self._told >= self._ROWS_PER_LINE:
            self._told = progress.rows
            self._say(f"{counted(progress.rows, 'row')} so far")


def positive_integer(text: str) -> int:
    """A flag's integer, 1 or more."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:18]) == int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def workers(text: str) -> int:
    """A flag's number of workers."""
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_WORKERS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MAX_WORKERS}")
    return int(text)


def moment(text: str) -> datetime:
    """A flag's time; the tie-break of a REST cursor is read over, since a checkpoint by time is inclusive."""
    try:
        return cursors.parse(text).at
    except cursors.CursorError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from error


def _succeed(run: ExportRun, progress: Progress) -> None:
    run.rows, run.bytes = progress.rows, progress.bytes
    if progress.point is None:
        skip(run, NothingToExportError())
    else:
        run.checkpoint_after = progress.point.as_json()
        run.close(ExportRun.State.SUCCEEDED, "")


def _kept(progress: Progress) -> str:
    if progress.point is None:
        return "the checkpoint did not move."
    return f"the checkpoint stands at {progress.point}."
