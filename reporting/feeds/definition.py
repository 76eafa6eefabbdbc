"""What a feed is, as its declaration says.

Everything that depends on a feed (serializers, CSV, NDJSON, warehouse SQL, routes, settings, the schedule, the
generated documentation) is derived from these declarations. They import no model, because the schedule and the settings
are built from them before Django's applications are loaded; models and metrics are named by label and by path.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


class ColumnType(Enum):
    """The types of the warehouse's columns."""

    UUID = "UUID"
    TEXT = "TEXT"
    BOOLEAN = "BOOLEAN"
    TIMESTAMP = "TIMESTAMP WITH TZ"
    JSON = "VARIANT"


@dataclass(frozen=True)
class Column:
    """One column of a feed's warehouse table.

    Attributes:
        name: the column's name in the warehouse, and the model field's name.
        type: its type in the warehouse.
        wire: dotted paths in the wire shape where the value stands; the first that is not null counts.
        help: what it means.
        nullable: whether it may be NULL.
        null_text: what pages show for NULL.
    """

    name: str
    type: ColumnType
    wire: tuple[str, ...]
    help: str
    nullable: bool = False
    null_text: str = "–"


@dataclass(frozen=True)
class WireField:
    """One value of a feed's wire shape.

    Attributes:
        path: dotted path of the value; fields that share a first part form a nested object.
        source: the model field's name, or a path into one of its JSON fields (``event__source``).
    """

    path: str
    source: str


@dataclass(frozen=True)
class Feed:
    """One feed: a model, the warehouse table that mirrors it, and how rows travel between them.

    Attributes:
        rank: its place among the feeds wherever they are listed.
        key: the feed's name in commands, URLs and settings, in snake_case.
        label: its name for people.
        model: the model's label, ``app.Model``; it derives from :class:`smplat.lib.feed_models.FeedModel`.
        table: the warehouse table.
        columns: the warehouse columns, in the reference's order.
        wire: the wire shape, in the order in which its fields are written.
        schedule_minutes: the minutes of each hour at which its job starts, as crontab writes them.
        interval: the time between two scheduled runs.
        key_column: the column that identifies a row.
        time_column: the column whose newest value tells how fresh the feed is.
        window: how many of the newest rows each object holds; None for an incremental feed.
        metrics: of a feed with a window, the path of the :class:`telemetry.summaries.Metrics` that its status tells.
        names_object: whether the status tells the object's key.
        optional_groups: first parts of wire paths whose object is null when all its values are.
        setting_prefix: how the names of its job's settings begin; by default its key and ``EXPORT``.
        has_status_url: whether a setting can name another status for the desk to show.
        webhook_setting: the setting with the URL of the webhook that takes its rows; empty for none.
        webhook_key: the key of the list of rows in a webhook's body and in a page of the REST list.
        checkpoint_name: file name of its checkpoint's copy; by default its key and ``_cursor.json``.
        file_name: file name of what its command exports to a file; by default its key and ``.ndjson``.
        list_path: the REST list of its rows, below ``/api/v1/``; empty for a feed without one, or with a view of its
            own.
    """

    rank: int
    key: str
    label: str
    model: str
    table: str
    columns: tuple[Column, ...]
    wire: tuple[WireField, ...]
    schedule_minutes: str
    interval: timedelta
    key_column: str = "event_id"
    time_column: str = "recorded_at"
    window: int | None = None
    metrics: str = ""
    names_object: bool = False
    optional_groups: frozenset[str] = frozenset()
    setting_prefix: str = ""
    has_status_url: bool = True
    webhook_setting: str = ""
    webhook_key: str | None = None
    checkpoint_name: str = ""
    file_name: str = ""
    list_path: str = ""

    def __post_init__(self) -> None:
        defaults = {
            "setting_prefix": f"{self.key.upper()}_EXPORT",
            "checkpoint_name": f"{self.key}_cursor.json",
            "file_name": f"{self.key}.ndjson",
        }
        for name, value in defaults.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)

    @property
    def folder(self) -> str:
        """Its name in paths of URLs, and the first part of its objects' keys."""
        return self.key.replace("_", "-")

    @property
    def lake_shape(self) -> str:
        """The shape of the objects that its job writes: a window is what its status counts, other rows load by name."""
        return "warehouse" if self.window is None else "wire"

    @property
    def count_header(self) -> str:
        """The response header that counts the rows of a window export."""
        return f"X-{self.folder.title()}-Events"

    @property
    def slack_setting(self) -> str:
        """The setting with the Slack webhook that its runs are reported to."""
        return f"{self.setting_prefix}_SLACK_WEBHOOK"

    @property
    def status_url_setting(self) -> str:
        """The setting with the address of another status for the desk to show."""
        return f"{self.setting_prefix}_STATUS_URL"

    @property
    def status_name(self) -> str:
        """File name of the status of a feed with a window."""
        return f"{self.folder}-export-status.json"

    @property
    def snapshot_name(self) -> str:
        """File name of the feed's downloads and local snapshot, without a time."""
        return f"{self.folder}-events.ndjson"


def flat_wire(*columns: Column) -> tuple[WireField, ...]:
    """The wire shape of rows that hold their columns, each at its first wire path, and nothing else."""
    return tuple(WireField(column.wire[0], column.name) for column in columns)


def telemetry_wire(*own: WireField) -> tuple[WireField, ...]:
    """The wire shape of telemetry: what all events have, around a feed's ``own`` fields."""
    return (
        WireField("id", "event_id"),
        WireField("originalId", "event__id"),
        WireField("name", "event__name"),
        WireField("source", "event__source"),
        WireField("recordedAt", "recorded_at"),
        *own,
        WireField("guardrail", "event__guardrail"),
        WireField("metadata", "metadata"),
    )
