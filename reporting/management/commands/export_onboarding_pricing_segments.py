"""Export the rows of the feed `onboarding_segments`."""

from reporting.feeds import FEEDS
from reporting.management.export_command import ExportCommand


class Command(ExportCommand):
    help = "Export onboarding segments, oldest first, to stdout, a file, a webhook or the lake."
    feed = FEEDS["onboarding_segments"]
