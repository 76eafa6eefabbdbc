"""Print the statements that load the warehouse."""

import argparse
from typing import Any

from django.core.management.base import CommandError

from reporting.feeds import FEEDS
from reporting.lake.storage import LakeError
from reporting.management.base import OneLineCommand
from reporting.warehouse import script


class Command(OneLineCommand):
    """Exit code 0 when everything was printed, 1 when the lake cannot be read, 2 for wrong usage."""

    help = "Print the SQL of the warehouse: tables, stages, COPY of the lake's objects, proof, MERGE, Looker query."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--feed", action="append", choices=sorted(FEEDS), help="may be repeated; default: all")
        parser.add_argument("--dialect", choices=("snowflake", "duckdb"), default="snowflake", help="whose SQL")
        uuid_help = "the type of columns that hold UUIDs: TEXT, which every warehouse has, or UUID"
        parser.add_argument("--uuid", choices=("text", "native"), default="text", help=uuid_help)

    def handle(self, *args: Any, **options: Any) -> None:
        feeds, is_native = [FEEDS[key] for key in options["feed"] or FEEDS], options["uuid"] == "native"
        try:
            for section in script.text(options["dialect"], feeds, is_uuid_native=is_native):
                self.stdout.write(section, ending="")
        except LakeError as error:
            raise CommandError(f"Failed: {error}", returncode=1) from error
