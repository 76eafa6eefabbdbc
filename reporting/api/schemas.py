"""JSON schemas of what reporting takes and gives, derived from the feeds and from the serializers."""

from functools import singledispatch
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import serializers

from reporting.feeds import FEEDS, Column, ColumnType, Feed, WireField
from reporting.feeds.shapes import model_of
from reporting.recording.requests import (
    HTTP_URL,
    HttpUrlField,
    StrictBooleanField,
    StrictUUIDField,
    StringField,
    WireObject,
)
from smplat.lib.openapi import (
    IGNORED,
    STORABLE,
    TIME,
    Schema,
    component,
    nullable,
    objects,
    open_objects,
    string_schema,
)

COUNT: Schema = {"type": "integer", "minimum": 0}
TEXT: Schema = {"type": "string"}
#: What is told of a provider's activity.
ACTIVITY = {"totalActions": COUNT, "lastAction": TEXT, "lastActionAt": TIME}
_TYPES: dict[ColumnType, Schema] = {
    ColumnType.UUID: {"type": "string", "format": "uuid"},
    ColumnType.TEXT: {"type": "string"},
    ColumnType.BOOLEAN: {"type": "boolean"},
    ColumnType.TIMESTAMP: TIME,
    ColumnType.JSON: {"type": "object", "additionalProperties": True},
}
# Intake sees to these parts of an event; of the others it keeps whatever the client sent.
_EVENT_PARTS: dict[str, Schema] = {
    "id": {"type": "string", "description": "The id as the client sent it."},
    "name": {"type": "string"},
    "guardrail": {"type": ["object", "null"], "additionalProperties": True},
}
# ECMA 262, which JSON schema keeps to, ends a text with $ and knows no escaped quote.
_URL_PATTERN = HTTP_URL.replace(r"\Z", "$").replace(r"\"", '"')
_AS_SENT: Schema = {"description": "As the client sent it; null where it did not."}


def array(items: Schema, **more: Any) -> Schema:
    """The schema of an array."""
    return {"type": "array", "items": items, **more}


def wire_schema(feed: Feed) -> Schema:
    """The JSON schema of a row of ``feed`` in wire shape; every key is always there."""
    groups: dict[str, dict[str, Schema]] = {"": {}}
    for field in feed.wire:
        group, _, leaf = field.path.rpartition(".")
        groups.setdefault(group, {})[leaf] = _value_schema(feed, field)
    for name, properties in groups.items():
        if name:
            schema = objects(properties)
            groups[""][name] = nullable(schema) if name in feed.optional_groups else schema
    return objects(groups[""])


def _value_schema(feed: Feed, field: WireField) -> Schema:
    columns = {column.name: column for column in feed.columns}
    if field.source in columns:
        return _column_schema(feed, columns[field.source])
    part = field.source.removeprefix("event__")
    # Where a column holds the same part of the event, intake has checked it.
    return _column_schema(feed, columns[part]) if part in columns else _EVENT_PARTS.get(part, _AS_SENT)


def _column_schema(feed: Feed, column: Column) -> Schema:
    field: Any = model_of(feed)._meta.get_field(column.name)
    schema = {**_TYPES[column.type], "description": column.help}
    if column.type is ColumnType.TEXT and field.max_length:
        schema["maxLength"] = field.max_length
    if field.choices:
        schema["enum"] = [value for value, _ in field.choices]
    return nullable(schema) if column.nullable else schema


def message_schema(feed: Feed, max_rows: int) -> Schema:
    """The JSON schema of a webhook's message: what the ingestion shim needs of rows in wire shape.

    A row that comes in needs less than one that goes out has: what may be null may be missing.
    """
    rows = {"type": "array", "items": _incoming_schema(feed), "minItems": 1, "maxItems": max_rows}
    return open_objects({str(feed.webhook_key): rows}, [str(feed.webhook_key)], STORABLE)


def _incoming_schema(feed: Feed) -> Schema:
    groups: dict[str, dict[str, Schema]] = {"": {}}
    for column in feed.columns:
        group, _, leaf = column.wire[0].rpartition(".")
        if len(column.wire) == 1:
            groups.setdefault(group, {})[leaf] = _given_schema(feed, column)
    nested = {name: nullable(open_objects(properties, [], STORABLE)) for name, properties in groups.items() if name}
    required = [column.wire[0] for column in feed.columns if not column.nullable and len(column.wire) == 1]
    alternatives = [_alternatives(feed, column) for column in feed.columns if len(column.wire) > 1]
    row = open_objects({**groups[""], **nested}, required, STORABLE)
    return {**row, "allOf": alternatives} if alternatives else row


def _given_schema(feed: Feed, column: Column) -> Schema:
    field: Any = model_of(feed)._meta.get_field(column.name)
    if column.type is not ColumnType.TEXT:
        return {**_TYPES[column.type], "description": column.help}
    schema = string_schema(field.max_length, description=column.help)
    return nullable(schema) if column.nullable else schema


def _alternatives(feed: Feed, column: Column) -> Schema:
    """A column that may stand at one of several paths: at the first of them that is not null."""
    value, options = _given_schema(feed, column), []
    for number, path in enumerate(column.wire):
        before: dict[str, Schema] = {name: {"type": "null"} for name in column.wire[:number]}
        options.append(objects({**before, path: value}, [path]))
    return {"anyOf": options}


@singledispatch
def request_schema(field: Any) -> Schema:
    """The JSON schema of what a field of a serializer takes."""
    raise TypeError(f"There is no schema of a {type(field).__name__}; add one here.")


def _described(field: Any, schema: Schema) -> Schema:
    return {**schema, **({"description": str(field.help_text)} if field.help_text else {})}


def _or_null(field: Any, schema: Schema) -> Schema:
    return nullable(_described(field, schema)) if field.allow_null else _described(field, schema)


@request_schema.register
def _object(field: WireObject) -> Schema:
    fields: dict[str, Any] = dict(field.fields)
    schema = open_objects(
        {name: request_schema(inner) for name, inner in fields.items()},
        [name for name, inner in fields.items() if inner.required],
        IGNORED,
    )
    return _or_null(field, schema)


@request_schema.register
def _list(field: serializers.ListField) -> Schema:
    return _described(
        field,
        {
            "type": "array",
            "items": request_schema(field.child),
            "minItems": 0 if field.allow_empty else 1,
            "maxItems": field.max_length,
        },
    )


@request_schema.register
def _choice(field: serializers.ChoiceField) -> Schema:
    return _or_null(field, {"type": "string", "enum": list(field.choices)})


@request_schema.register
def _flag(field: StrictBooleanField) -> Schema:
    return _described(field, {"type": "boolean"})


@request_schema.register
def _identifier(field: StrictUUIDField) -> Schema:
    return _or_null(field, {"type": "string", "format": "uuid"})


@request_schema.register
def _text(field: StringField) -> Schema:
    return _or_null(field, string_schema(field.max_length, min_length=0 if field.allow_blank else 1))


@request_schema.register
def _url(field: HttpUrlField) -> Schema:
    url = {"type": "string", "maxLength": field.max_length, "pattern": _URL_PATTERN}
    return _or_null(field, {"anyOf": [url, {"const": ""}]} if field.allow_blank else url)


class SignatureScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The signature of a webhook's message."""

    target_class = "reporting.api.ingest.SignatureAuthentication"
    name = "Signature"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        """Return the scheme."""
        description = (
            "HMAC-SHA256 by the Standard Webhooks scheme: `v1,` and the base64 of the signature over "
            "`{webhook-id}.{webhook-timestamp}.{body}`, with a secret in `ANALYTICS_WEBHOOK_SECRET`."
        )
        return {"type": "apiKey", "in": "header", "name": "webhook-signature", "description": description}


#: The schema of a row of each feed in wire shape.
ROWS = {key: component(feed.model.partition(".")[2], wire_schema(feed)) for key, feed in FEEDS.items()}
