"""What the OpenAPI document says alike of every endpoint: who may call it, and how it answers errors.

The parts of a document are plain JSON objects. Those that have a name become components.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, OpenApiRequest, OpenApiResponse

Schema = dict[str, Any]
#: Decorates a method of a view with its description.
Description = Callable[[Any], Any]

NDJSON = "application/x-ndjson"
_components: dict[str, Schema] = {}


def component(name: str, schema: Schema) -> Schema:
    """Give ``schema`` a name in the document, and return the reference to it."""
    _components[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def complete(result: Schema, **_: Any) -> Schema:
    """Put the named schemas into the document, and say that every body is required; a hook of drf-spectacular."""
    schemas = {**result["components"].get("schemas", {}), **_components}
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    for path in result["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
    return result


def objects(properties: dict[str, Schema], required: list[str] | None = None, **more: Any) -> Schema:
    """The schema of an object; all ``properties`` are required unless ``required`` says which."""
    names = list(properties) if required is None else required
    given = {"properties": properties, "required": names}
    return {"type": "object", **{name: value for name, value in given.items() if value}, **more}


def open_objects(properties: dict[str, Schema], required: list[str], others: Schema) -> Schema:
    """The schema of an object that may hold ``others`` beside ``properties``, under names of a limited length."""
    return objects(properties, required, additionalProperties=others, propertyNames=string_schema(200))


def nullable(schema: Schema) -> Schema:
    """``schema``, or null."""
    if "$ref" in schema or "anyOf" in schema:
        return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}
    widened = {**schema, "type": [schema["type"], "null"]}
    return {**widened, "enum": [*schema["enum"], None]} if "enum" in schema else widened


def string_schema(max_length: int | None = None, min_length: int = 0, **more: Any) -> Schema:
    """The schema of a string of ``min_length`` to ``max_length`` characters, none of them NUL."""
    limits = {"minLength": min_length or None, "maxLength": max_length}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    return {"type": "string", **given, "pattern": NO_NUL, **more}


# PostgreSQL's text and jsonb hold every character but this one.
NO_NUL = r"^[^\x00]*$"
TIME: Schema = {"type": "string", "format": "date-time"}


def _json(name: str, max_text: int | None, description: str) -> Schema:
    """A component for any JSON value of which each part is fit for the database."""
    itself = {"$ref": f"#/components/schemas/{name}"}
    values: list[Schema] = [
        {"type": ["null", "boolean"]},
        {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        {"type": "number", "exclusiveMinimum": -(2**63), "exclusiveMaximum": 2**63},
        string_schema(max_text),
        {"type": "array", "items": itself},
        open_objects({}, [], itself),
    ]
    return component(name, {"description": description, "anyOf": values})


#: What is kept: part of an event, or of a message.
STORABLE = _json("Storable", 10_000, "JSON with numbers within 64 bits and without NUL, at most 32 levels deep.")
#: What is not read, but parsed.
IGNORED = _json("Ignored", None, "JSON that is not read; texts may be longer than those of `Storable`.")
ERROR = component(
    "Error",
    {
        "description": "What was wrong: `detail`, or the names of fields, each with what is allowed.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
        },
    },
)


def body(schema: Schema, *examples: Any) -> OpenApiRequest:
    """A request's body with examples of it."""
    return OpenApiRequest(schema, examples=_examples(examples))


def answer(schema: Schema, description: str, *examples: Any) -> OpenApiResponse:
    """A response with examples of it."""
    return OpenApiResponse(schema, description, _examples(examples))


def error(description: str, example: Schema) -> OpenApiResponse:
    """A response that says what was wrong."""
    return answer(ERROR, description, example)


def _examples(values: tuple[Any, ...]) -> list[OpenApiExample]:
    return [OpenApiExample(f"Example {number}", value) for number, value in enumerate(values, 1)]


UNAUTHORIZED = error("No credentials, or wrong ones.", {"detail": "Authentication credentials were not provided."})
FORBIDDEN = error(
    "The operator lacks the permission.", {"detail": "You do not have permission to perform this action."}
)
AWAY = error(
    "The database is away; try again after `Retry-After` seconds.",
    {"detail": "The database cannot be reached at the moment. Nothing was stored; please try again."},
)
UNSUPPORTED = error(
    "The body's content type is not one of these.", {"detail": 'Unsupported media type "text/csv" in request.'}
)
TOO_LARGE = error("The body is too large.", {"detail": "The body is larger than 1048576 bytes."})


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The API key of the storefront and of scripts."""

    target_class = "smplat.lib.access.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        """Return the scheme."""
        description = "One of the keys in `CHECKOUT_API_KEY`."
        return {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": description}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The session of a signed-in operator."""

    target_class = "rest_framework.authentication.SessionAuthentication"
    name = "Session"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> Schema:
        """Return the scheme."""
        description = "An operator who is signed in at `/admin/`; a POST needs the header `X-CSRFToken` as well."
        name = settings.SESSION_COOKIE_NAME
        return {"type": "apiKey", "in": "cookie", "name": name, "description": description}
