"""What the OpenAPI document says of the capture routes: events as the storefront sends them.

The limits are those of the columns. What a schema says of one event holds for the events of a batch as well, but one
that does not keep to it is reported by its index, and spoils no other.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

from django.conf import settings
from django.db.models import TextField
from drf_spectacular.utils import OpenApiRequest, extend_schema
from rest_framework import serializers

from smplat.lib import openapi
from smplat.lib.examples import AT, story
from smplat.lib.openapi import STORABLE, Schema, nullable, objects, string_schema
from telemetry.models import TelemetryEvent, kinds

_Model = type[TelemetryEvent]
_ID_HELP = "Best a UUID; any other string maps to a UUIDv5. An event without one is stored each time it comes."


def _texts(model: _Model) -> dict[str, str]:
    """The columns that texts of an event fill, by where they stand in it first; its name is told apart."""
    return {path: column for column, (path, *_) in model.sources.items() if path != "name"}


def _event(model: _Model) -> Schema:
    """The schema of an event that ``model`` stores."""
    texts: dict[str, dict[str, Schema]] = {"": {}, "guardrail": {}}
    required = ["name"]
    for path, column in _texts(model).items():
        field = cast("TextField[Any, Any]", model._meta.get_field(column))
        group, _, leaf = path.rpartition(".")
        schema = string_schema(field.max_length, min_length=0 if field.null else 1)
        texts[group][leaf] = nullable(schema) if field.null else schema
        required += [] if field.null else [path]
    time = {**openapi.TIME, "description": "From 1970 to 2200; the server's time where it is missing."}
    properties = {
        "id": nullable(string_schema(200, min_length=1, description=_ID_HELP)),
        "name": {"type": "string", "enum": sorted(model.names)},
        **dict.fromkeys(("source", "reason", "outcome"), STORABLE),
        "recordedAt": nullable(time),
        "guardrail": nullable(objects(texts["guardrail"], [], **openapi.others_allowed(STORABLE))),
        "metadata": nullable(objects({}, **openapi.others_allowed(STORABLE))),
        **texts[""],
    }
    name = f"{model.__name__.removesuffix('Event')}Capture"
    return openapi.component(name, objects(properties, required, **openapi.others_allowed(STORABLE)))


def _example(model: _Model) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": story("originalId"),
        "name": sorted(model.names)[0],
        "recordedAt": AT,
        "guardrail": {},
    }
    for path in _texts(model):
        group, _, leaf = path.rpartition(".")
        (event[group] if group else event)[leaf] = story(leaf)
    return event


_EVENTS = {model: _event(model) for model in kinds()}
_NAMES = [name for model in kinds() for name in sorted(model.names)]
_OTHER = openapi.component(
    "OtherCapture",
    {
        "description": "An event of a name that no feed takes; it is counted as ignored.",
        **objects({"name": {"type": "string", "minLength": 1, "not": {"enum": _NAMES}}}),
    },
)


class Rejected(serializers.Serializer[Any]):
    index = serializers.IntegerField(min_value=0)
    error = serializers.CharField()


class IntakeAnswer(serializers.Serializer[Any]):
    """What became of each event."""

    component_name = "Intake"
    accepted = serializers.IntegerField(min_value=0, help_text="Events stored by this request.")
    duplicates = serializers.IntegerField(min_value=0, help_text="Events whose id was stored before.")
    ignored = serializers.IntegerField(min_value=0, help_text="Events that no feed of the route takes.")
    rejected = Rejected(many=True, help_text="Events of a batch that cannot be stored, by their index in it.")


def _requests(event: Schema, batch: Schema, value: Schema) -> dict[str, OpenApiRequest]:
    """The body of a capture route, by content type."""
    # What is no event is reported by its index, so that nothing spoils a batch.
    items = {"anyOf": [event, {}]}
    array = {"type": "array", "items": items, "minItems": 1, "maxItems": settings.TELEMETRY_MAX_EVENTS, **batch}
    document = {"anyOf": [event, array]}
    encoded = {
        **{"type": "string", "format": "json", "description": "JSON, as `sendBeacon` sends it."},
        **{"contentMediaType": "application/json", "contentSchema": document},
    }
    text = json.dumps(value, separators=(",", ":"))
    lines = {**openapi.lines_of(event), "format": "ndjson"}
    return {
        "application/json": OpenApiRequest(document, examples=[openapi.example(value), openapi.example([value], 2)]),
        "text/plain": OpenApiRequest(encoded, examples=[openapi.example(text)]),
        openapi.NDJSON: OpenApiRequest(lines, examples=[openapi.example(f"{text}\n{text}\n")]),
    }


def capture_schema(operation_id: str, what: str, models: Sequence[_Model], refusal: Schema) -> Callable[[Any], Any]:
    """Describe a capture route that takes events of ``models``, in words ``what``; ``refusal`` shows its 400."""
    if len(models) == 1:
        event, names = _EVENTS[models[0]], {"type": "string", "enum": sorted(models[0].names)}
        batch = {"contains": objects({"name": names})}
    else:
        event, batch = {"anyOf": [*(_EVENTS[model] for model in models), _OTHER]}, {}
    return extend_schema(
        operation_id=operation_id,
        tags=["Capture"],
        summary=f"Capture {what}",
        request=_requests(event, batch, _example(models[-1])),
        responses={
            202: IntakeAnswer,
            400: openapi.error("The body is empty, no JSON, or a single event that cannot be stored.", refusal),
            415: openapi.UNSUPPORTED,
            429: openapi.error("Too many requests from this address.", "Request was throttled."),
        },
        auth=[],
    )
