"""Export the rows of the feed `guardrail_followups`."""

import argparse
from dataclasses import replace
from typing import Any

from reporting.checkpoints.stores import CheckpointStore
from reporting.exports.sources import Scope
from reporting.feeds import FEEDS
from reporting.management.export_command import ExportCommand, UsageError


class Command(ExportCommand):
    help = "Export guardrail followups, oldest first, to stdout, a file, a webhook or the lake."
    feed = FEEDS["guardrail_followups"]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--provider-id", help="the one provider to keep to")

    def scope(self, options: dict[str, Any]) -> Scope:
        return replace(super().scope(options), provider_id=options["provider_id"])

    def store(self, options: dict[str, Any]) -> CheckpointStore:
        """The checkpoint that the flags name.

        Raises:
            UsageError: the checkpoint is one of all providers, which a run over one of them must not move.
        """
        if options["provider_id"] is not None and options["cursor_store"] != "none":
            raise UsageError(
                "--provider-id goes with --cursor-store none: a checkpoint speaks of the rows of all providers"
            )
        return super().store(options)
