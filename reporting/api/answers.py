"""What the endpoints answer, as serializers: they describe dictionaries that lower rooms make, and render none.

Rows of feeds are described by their declarations.
"""

from functools import partial
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from reporting.feeds import Column, ColumnType, Feed, WireField
from reporting.feeds.shapes import model_of

Field = serializers.Field[Any, Any, Any, Any]
Shape = serializers.Serializer[Any]
_TYPES: dict[ColumnType, type[Field]] = {
    ColumnType.UUID: serializers.UUIDField,
    ColumnType.BOOLEAN: serializers.BooleanField,
    ColumnType.TIMESTAMP: serializers.DateTimeField,
    ColumnType.JSON: serializers.DictField,
}
text, count, time = serializers.CharField, partial(serializers.IntegerField, min_value=0), serializers.DateTimeField
nullable_text = partial(text, allow_null=True)
next_cursor = partial(nullable_text, help_text="The `cursor` of the next page; null on the last.")
accepted = partial(serializers.ChoiceField, ["accepted"])


class FeedRow(Shape):
    """A row of a feed in wire shape; every key is always there."""

    def __init__(self, feed: Feed, group: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.feed, self.group = feed, group
        self.component_name = f"{feed.model.partition('.')[2]}{group[:1].upper()}{group[1:]}"

    def get_fields(self) -> dict[str, Field]:
        """The values of the row, or of one nested object of it."""
        fields: dict[str, Field] = {}
        for field in self.feed.wire:
            group, _, leaf = field.path.rpartition(".")
            if group == self.group:
                fields[leaf] = _field(self.feed, field)
            elif not self.group:
                fields[group] = FeedRow(self.feed, group, allow_null=group in self.feed.optional_groups)
        return fields


class WarehouseRow(Shape):
    """A row of a feed in warehouse shape: the columns by their names."""

    def __init__(self, feed: Feed, **options: Any) -> None:
        super().__init__(**options)
        self.feed = feed
        self.component_name = f"{feed.model.partition('.')[2]}WarehouseRow"

    def get_fields(self) -> dict[str, Field]:
        """The columns of the table."""
        return {column.name: _column_field(self.feed, column) for column in self.feed.columns}


def object_row(feed: Feed) -> Shape:
    """A row of the objects that the feed's job writes."""
    return WarehouseRow(feed) if feed.lake_shape == "warehouse" else FeedRow(feed)


def _field(feed: Feed, field: WireField) -> Field:
    columns = {column.name: column for column in feed.columns}
    # Where a column holds a part of the event, intake has checked that; of the others it sees to a few.
    part = field.source.removeprefix("event__")
    if part in columns:
        return _column_field(feed, columns[part])
    if part == "guardrail":
        return serializers.DictField(allow_null=True)
    if part in {"id", "name"}:
        return serializers.CharField(help_text="As the client sent it.", allow_null=part == "id")
    return serializers.JSONField(help_text="As the client sent it; null where it did not.")


def _column_field(feed: Feed, column: Column) -> Field:
    options: dict[str, Any] = {"help_text": column.help, "allow_null": column.nullable}
    if kind := _TYPES.get(column.type):
        return kind(**options)
    definition: Any = model_of(feed)._meta.get_field(column.name)
    if definition.choices:
        return serializers.ChoiceField(definition.choices, **options)
    return serializers.CharField(max_length=definition.max_length, **options)


class FeedPage(Shape):
    """A page."""

    nextCursor = next_cursor()

    def __init__(self, feed: Feed, rows_key: str, max_rows: int, **more: Shape) -> None:
        super().__init__()
        self.component_name = f"{feed.model.partition('.')[2]}Page"
        self.fields[rows_key] = serializers.ListField(child=FeedRow(feed), max_length=max_rows)
        self.fields.update(more)


@extend_schema_field({"type": "null"})
class NullField(serializers.JSONField):
    """Always null; there for older readers."""


class Recorded(Shape):
    """The events' ids, in the order of the experiments."""

    status = accepted()
    eventIds = serializers.ListField(child=serializers.UUIDField())


class MessageAccepted(Shape):
    """The rows are on the stage."""

    status = accepted()
    rows = count()
    object = text()


class VariantConversions(Shape):
    variantKey = text()
    variantName = nullable_text()
    isControl = serializers.BooleanField(allow_null=True)
    orderCount = count()
    journeyCount = count()


class ExperimentConversions(Shape):
    slug = text()
    orderCount = count()
    journeyCount = count()
    lastActivity = time()
    variants = VariantConversions(many=True)


class ProviderStatus(Shape):
    """The state in which the last follow-up left a provider."""

    providerId = text()
    providerName = nullable_text()
    lastAction = nullable_text()
    isPaused = serializers.BooleanField()
    updatedAt = time(allow_null=True)
    lastFollowUpId = serializers.UUIDField(allow_null=True)


class Activity(Shape):
    totalActions = count()
    lastAction = text()
    lastActionAt = time()


class ProviderActivity(Activity):
    providerId = nullable_text(help_text="Null for events without one, which are grouped by the provider's name.")
    providerName = nullable_text()


class ActionCount(Shape):
    action = text()
    count = count()
    lastOccurredAt = time()


class AttachmentTotals(Shape):
    upload = count()
    remove = count()
    copy = count()
    tag = count()


class WorkflowSummary(Shape):
    """What happened, the newest first."""

    totalEvents = count()
    lastCapturedAt = time(allow_null=True)
    actionCounts = ActionCount(many=True)
    attachmentTotals = AttachmentTotals()
    providerActivity = serializers.ListField(child=ProviderActivity(), max_length=5)


class Alert(Shape):
    providerId = text()
    severity = text()
    guardrailStatus = text()
    providerName = nullable_text()
    platformSlug = nullable_text()
    occurredAt = time()


class AutomationMetadata(Shape):
    alertsDigest = Alert(many=True)
    workflowTelemetry = serializers.DictField(allow_null=True, help_text="The workflow summary that the run read.")
    workflowTelemetryError = serializers.CharField(required=False, help_text="Why the summary could not be read.")


class AlertCounts(Shape):
    totalAlerts = count()
    critical = count()
    warning = count()
    providers = count()


class AutomationRun(Shape):
    ranAt = time()
    summary = AlertCounts()
    metadata = AutomationMetadata()
