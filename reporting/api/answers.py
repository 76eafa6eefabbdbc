"""What the endpoints answer, as serializers: they describe dictionaries that lower rooms make, and render none.

Rows of feeds are described by their declarations.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from reporting.feeds import Column, ColumnType, Feed, WireField
from reporting.feeds.shapes import model_of

Field = serializers.Field[Any, Any, Any, Any]
_TYPES: dict[ColumnType, type[Field]] = {
    ColumnType.UUID: serializers.UUIDField,
    ColumnType.BOOLEAN: serializers.BooleanField,
    ColumnType.TIMESTAMP: serializers.DateTimeField,
    ColumnType.JSON: serializers.DictField,
}


class FeedRow(serializers.Serializer[Any]):
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
            elif group not in fields and not self.group:
                fields[group] = FeedRow(self.feed, group, allow_null=group in self.feed.optional_groups)
        return fields


def _field(feed: Feed, field: WireField) -> Field:
    columns = {column.name: column for column in feed.columns}
    # Where a column holds a part of the event, intake has checked that; of the others it sees to a few.
    part = field.source.removeprefix("event__")
    if part in columns:
        return column_field(feed, columns[part])
    if part == "guardrail":
        return serializers.DictField(allow_null=True)
    if part in {"id", "name"}:
        return serializers.CharField(help_text="As the client sent it.")
    return serializers.JSONField(help_text="As the client sent it; null where it did not.")


def column_field(feed: Feed, column: Column) -> Field:
    """The field of what a column of ``feed`` holds."""
    options: dict[str, Any] = {"help_text": column.help, "allow_null": column.nullable}
    if kind := _TYPES.get(column.type):
        return kind(**options)
    definition: Any = model_of(feed)._meta.get_field(column.name)
    if definition.choices:
        return serializers.ChoiceField(definition.choices, **options)
    return serializers.CharField(max_length=definition.max_length, **options)


def feed_page(feed: Feed, rows_key: str, max_rows: int, **more: Any) -> serializers.Serializer[Any]:
    """A page of the list of a feed's rows, and ``more``."""
    rows = serializers.ListField(child=FeedRow(feed), max_length=max_rows)
    return inline_serializer(
        f"{feed.model.partition('.')[2]}Page", {rows_key: rows, "nextCursor": next_cursor(), **more}
    )


def next_cursor() -> serializers.CharField:
    """The cursor with which a list goes on."""
    return serializers.CharField(allow_null=True, help_text="The `cursor` of the next page; null on the last.")


def _count() -> serializers.IntegerField:
    """How many of something there are."""
    return serializers.IntegerField(min_value=0)


def _nullable_text() -> serializers.CharField:
    """A text, or null."""
    return serializers.CharField(allow_null=True)


@extend_schema_field({"type": "null"})
class NullField(serializers.JSONField):
    """Always null; there for older readers."""


class Recorded(serializers.Serializer[Any]):
    """What became of the experiments of an order."""

    status = serializers.ChoiceField(["accepted"])
    eventIds = serializers.ListField(child=serializers.UUIDField())


class ExperimentCounts(serializers.Serializer[Any]):
    """How many orders and journeys something reached."""

    orderCount = _count()
    journeyCount = _count()


class VariantConversions(ExperimentCounts):
    """Conversions of a variant."""

    variantKey = serializers.CharField()
    variantName = _nullable_text()
    isControl = serializers.BooleanField()


class ExperimentConversions(ExperimentCounts):
    """Conversions of an experiment."""

    slug = serializers.CharField()
    lastActivity = serializers.DateTimeField()
    variants = VariantConversions(many=True)


class ProviderStatus(serializers.Serializer[Any]):
    """The state in which the last follow-up left a provider."""

    providerId = serializers.CharField()
    providerName = _nullable_text()
    isPaused = serializers.BooleanField()
    lastAction = _nullable_text()
    updatedAt = serializers.DateTimeField(allow_null=True)
    lastFollowUpId = serializers.UUIDField(allow_null=True)


class Activity(serializers.Serializer[Any]):
    """What is told of a provider's activity."""

    totalActions = _count()
    lastAction = serializers.CharField()
    lastActionAt = serializers.DateTimeField()


class ProviderActivity(Activity):
    """The activity of a provider that the summary names."""

    providerId = serializers.CharField()
    providerName = _nullable_text()


class ActionCount(serializers.Serializer[Any]):
    """How often an action was done."""

    action = serializers.CharField()
    count = _count()
    lastOccurredAt = serializers.DateTimeField()


class AttachmentTotals(serializers.Serializer[Any]):
    """What was done to attachments, and to tags."""

    upload = _count()
    remove = _count()
    copy = _count()
    tag = _count()


class WorkflowSummary(serializers.Serializer[Any]):
    """What happened in the guardrail workflow, the newest first."""

    totalEvents = _count()
    lastCapturedAt = serializers.DateTimeField(allow_null=True)
    actionCounts = ActionCount(many=True)
    attachmentTotals = AttachmentTotals()
    providerActivity = serializers.ListField(child=ProviderActivity(), max_length=5)


class AlertCounts(serializers.Serializer[Any]):
    """How many providers a run saw, and what it said of them."""

    totalAlerts = _count()
    critical = _count()
    warning = _count()
    providers = _count()


class Alert(serializers.Serializer[Any]):
    """A provider that needs attention."""

    providerId = serializers.CharField()
    providerName = _nullable_text()
    severity = serializers.CharField()
    guardrailStatus = serializers.CharField()
    platformSlug = _nullable_text()
    occurredAt = serializers.DateTimeField()


class AutomationMetadata(serializers.Serializer[Any]):
    """What a run of the provider automation was about."""

    alertsDigest = Alert(many=True)
    workflowTelemetry = serializers.DictField(allow_null=True, help_text="The workflow summary that the run read.")
    workflowTelemetryError = serializers.CharField(required=False, help_text="Why the summary could not be read.")


class AutomationRun(serializers.Serializer[Any]):
    """A run of the provider automation."""

    ranAt = serializers.DateTimeField()
    summary = AlertCounts()
    metadata = AutomationMetadata()
