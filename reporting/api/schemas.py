"""What drf-spectacular cannot derive: bodies whose texts are fit for the database, and messages of webhooks."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension

from reporting.feeds import Column, ColumnType, Feed
from reporting.feeds.shapes import model_of
from reporting.recording.requests import HTTP_URL, RELATIVE_URL
from smplat.lib.openapi import IGNORED, STORABLE, TIME, Schema, nullable, objects, others_allowed, string_schema

# ECMA 262, which JSON schema keeps to, ends a text with $ and knows no escaped quote.
_URL_PATTERN, _RELATIVE_PATTERN = (
    pattern.replace(r"\Z", "$").replace(r"\"", '"') for pattern in (HTTP_URL, RELATIVE_URL)
)
_TYPES: dict[ColumnType, Schema] = {
    ColumnType.UUID: {"type": "string", "format": "uuid"},
    ColumnType.BOOLEAN: {"type": "boolean"},
    ColumnType.TIMESTAMP: TIME,
    ColumnType.JSON: {"type": "object", "additionalProperties": True},
}


class WireObjectSchema(OpenApiSerializerExtension):
    """A body, or an object in one, of which unknown parts are ignored."""

    target_class = "reporting.recording.requests.WireObject"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Schema:
        return {
            **auto_schema._map_serializer(self.target, direction, bypass_extensions=True),
            **others_allowed(IGNORED),
        }


class StringSchema(OpenApiSerializerFieldExtension):
    """A text that PostgreSQL can hold."""

    target_class = "reporting.recording.requests.StringField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        return string_schema(self.target.max_length, min_length=0 if self.target.allow_blank else 1)


class QueryTextSchema(StringSchema):
    """A string of a query."""

    target_class = "reporting.api.queries.TextField"


class HttpUrlSchema(OpenApiSerializerFieldExtension):
    """A link, one relative to ``PUBLIC_BASE_URL``, or an empty text."""

    target_class = "reporting.recording.requests.HttpUrlField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        url = {"type": "string", "maxLength": self.target.max_length, "pattern": _URL_PATTERN}
        max_length = self.target.max_length - len(settings.PUBLIC_BASE_URL) - 1
        relative = {"type": "string", "maxLength": max_length, "pattern": _RELATIVE_PATTERN}
        return {"anyOf": [url, relative, {"const": ""}]}


class AttachmentsSchema(OpenApiSerializerFieldExtension):
    """What a client sends with a follow-up."""

    target_class = "reporting.recording.requests.AttachmentsField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        return {"type": "array", "items": IGNORED, "maxItems": self.target.max_length}


def message_schema(feed: Feed, max_rows: int) -> Schema:
    """The JSON schema of a webhook's message: what the ingestion shim needs of rows in wire shape.

    A row that comes in needs less than one that goes out has: what may be null may be missing.
    """
    rows = {"type": "array", "items": _incoming_row(feed), "minItems": 1, "maxItems": max_rows}
    return objects({str(feed.webhook_key): rows}, **others_allowed(STORABLE))


def _incoming_row(feed: Feed) -> Schema:
    groups: dict[str, dict[str, Schema]] = {"": {}}
    for column in feed.columns:
        group, _, leaf = column.wire[0].rpartition(".")
        if len(column.wire) == 1:
            groups.setdefault(group, {})[leaf] = _given(feed, column)
    nested = {
        name: nullable(objects(properties, [], **others_allowed(STORABLE)))
        for name, properties in groups.items()
        if name
    }
    required = [column.wire[0] for column in feed.columns if not column.nullable and len(column.wire) == 1]
    alternatives = [_alternatives(feed, column) for column in feed.columns if len(column.wire) > 1]
    row = objects({**groups[""], **nested}, required, **others_allowed(STORABLE))
    return {**row, "allOf": alternatives} if alternatives else row


def _given(feed: Feed, column: Column) -> Schema:
    if column.type is ColumnType.TEXT:
        field: Any = model_of(feed)._meta.get_field(column.name)
        schema = string_schema(field.max_length, description=column.help)
    else:
        schema = {**_TYPES[column.type], "description": column.help}
    return nullable(schema) if column.nullable else schema


def _alternatives(feed: Feed, column: Column) -> Schema:
    """A column that may stand at one of several paths: at the first of them that is not null."""
    value, options = _given(feed, column), []
    for number, path in enumerate(column.wire):
        before: dict[str, Schema] = {name: {"type": "null"} for name in column.wire[:number]}
        options.append(objects({**before, path: value}, [path]))
    return {"anyOf": options}
