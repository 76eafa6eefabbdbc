"""Export the rows of the feed `onboarding_segments` of an installation that is reached over HTTP."""

import argparse
import time
from typing import Any

from django.conf import settings

from reporting.checkpoints import stores
from reporting.exports.sources import Scope, Source
from reporting.exports.sources.over_http import HttpSource, RestList, cursor_after
from reporting.feeds import FEEDS
from reporting.management.export_command import ExportCommand, UsageError
from smplat.lib.addresses import is_url

_PAGE_ROWS = 1_000


class Command(ExportCommand):
    """See :class:`ExportCommand`; needs no database."""

    help = "Export onboarding segments over HTTP, oldest first, to stdout, a file, a webhook or the lake."
    requires_system_checks = ()
    feed = FEEDS["onboarding_segments"]
    has_database = False

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--api-base-url", help="address of the installation; default API_BASE_URL")
        parser.add_argument("--api-key", help="its API key; default the first of CHECKOUT_API_KEY")

    def source(self, scope: Scope, point: stores.Point | None, options: dict[str, Any]) -> Source:
        """The rows after the checkpoint, from the REST list."""
        return HttpSource(self._list(options), scope, cursor_after(point, scope.cursor))

    def store(self, options: dict[str, Any]) -> stores.CheckpointStore:
        """The checkpoint that the flags name; none in a database, which this host does not have."""
        if options["cursor_store"] == "s3" and options["cursor_store_path"] is None:
            raise UsageError(
                "--cursor-store s3 needs --cursor-store-path: the default is the checkpoint of the hourly job"
            )
        if options["cursor_store"] == "db":
            raise UsageError("--cursor-store db needs the database; use file, s3 or none")
        return super().store(options)

    def _list(self, options: dict[str, Any]) -> RestList:
        base_url = options["api_base_url"] or settings.API_BASE_URL
        if not is_url(base_url, ("http", "https")):
            raise UsageError("needs the http(s) address of an installation in --api-base-url or API_BASE_URL")
        key = options["api_key"] or next(iter(settings.CHECKOUT_API_KEYS), "")
        if not key:
            raise UsageError("needs the API key in --api-key or CHECKOUT_API_KEY")
        rows = min(options["limit"] or _PAGE_ROWS, _PAGE_ROWS)
        return RestList(base_url.rstrip("/"), key, rows, time.sleep)
