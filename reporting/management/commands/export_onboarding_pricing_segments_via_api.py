"""Export the rows of the feed `onboarding_segments` of an installation that is reached over HTTP."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from reporting.checkpoints import stores
from reporting.exports import over_http
from reporting.exports.delivery import Progress, Scope
from reporting.exports.sinks import Sink
from reporting.exports.sinks.webhook import WebhookSink
from reporting.feeds import FEEDS
from reporting.management.export_command import ExportCommand, UsageError, url_name
from smplat.lib.addresses import is_url

_PAGE_ROWS = 1_000


class Command(ExportCommand):
    """See :class:`ExportCommand`; needs no database."""

    help = "Export onboarding segments over HTTP, oldest first, to stdout, a file, a webhook or the lake."
    requires_system_checks = ()
    feed = FEEDS["onboarding_segments"]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags of the API to those of every export."""
        super().add_arguments(parser)
        parser.add_argument("--api-base-url", help="address of the installation; default API_BASE_URL")
        parser.add_argument("--api-key", help="its API key; default the first of CHECKOUT_API_KEY")

    def export(
        self,
        scope: Scope,
        store: stores.CheckpointStore,
        sink: Sink,
        progress: Progress,
        tell: Callable[[Progress], None],
        options: dict[str, Any],
    ) -> None:
        """Deliver the rows, from the REST list."""
        over_http.export(self._source(options), scope, store, sink, progress, tell)

    def store(self, options: dict[str, Any]) -> stores.CheckpointStore:
        """The checkpoint that the flags name; none in a database, which this host does not have."""
        if options["cursor_store"] == "s3" and options["cursor_store_path"] is None:
            raise UsageError(
                "--cursor-store s3 needs --cursor-store-path: the default is the checkpoint of the hourly job"
            )
        store = super().store(options)
        if isinstance(store, stores.DatabaseStore):
            raise UsageError("--cursor-store db needs the database; use file, s3 or none")
        if isinstance(store, stores.FileStore):
            return stores.FileStore(Path(store.path), self.feed.key, has_database=False)
        if isinstance(store, stores.LakeStore):
            return stores.LakeStore(store.uri, self.feed.key, has_database=False)
        return store

    def dry_run(self, scope: Scope, store: stores.CheckpointStore, options: dict[str, Any]) -> None:
        """Say what would be exported."""
        cursor = over_http.cursor_after(store.read(), scope.cursor)
        rows = size = 0
        first = last = None
        for line in self._source(options).lines(cursor, scope.shape, scope.until):
            rows, size = rows + 1, size + len(line.json) + 1
            first, last = first or line.key, line.key
        self.say_size(rows, size, first, last)

    def _source(self, options: dict[str, Any]) -> over_http.Source:
        base_url = options["api_base_url"] or settings.API_BASE_URL
        if not is_url(base_url, ("http", "https")):
            raise UsageError("needs the http(s) address of an installation in --api-base-url or API_BASE_URL")
        key = options["api_key"] or next(iter(settings.CHECKOUT_API_KEYS), "")
        if not key:
            raise UsageError("needs the API key in --api-key or CHECKOUT_API_KEY")
        rows = min(options["limit"] or _PAGE_ROWS, _PAGE_ROWS)
        return over_http.Source(self.feed, base_url.rstrip("/"), key, rows, time.sleep)

    def _webhook_sink(self, options: dict[str, Any]) -> Sink:
        url = self.webhook_url(options)
        name = url_name(options, self.feed)
        return WebhookSink(self.feed, url, name, settings.ANALYTICS_WEBHOOK_SECRETS, has_database=False)
