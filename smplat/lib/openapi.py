"""What the OpenAPI document says alike of every endpoint: who may call it, how it answers errors, what examples hold.

drf-spectacular derives the rest from serializers and from ``extend_schema``.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, build_examples_list, force_instance, get_doc
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from smplat.lib.error_bodies import error_body, is_read_as_error
from smplat.lib.examples import example_of

Schema = dict[str, Any]

NDJSON = "application/x-ndjson"
# PostgreSQL's text and jsonb hold every character but this one.
NO_NUL = r"^[^\x00]*$"
_TAG = 'W/"0f3b6a526f5e4a4b9d571c2f6b0a7e94"'
TIME: Schema = {"type": "string", "format": "date-time"}
_components: dict[str, Schema] = {}


def component(name: str, schema: Schema) -> Schema:
    """Give ``schema`` a name in the document, and return the reference to it; for what no serializer can say."""
    _components[name] = schema
    return {"$ref": f"#/components/schemas/{name}"}


def objects(properties: dict[str, Schema], required: list[str] | None = None, **more: Any) -> Schema:
    """The schema of an object; all ``properties`` are required unless ``required`` says which."""
    names = list(properties) if required is None else required
    given = {"properties": properties, "required": names}
    return {"type": "object", **{name: value for name, value in given.items() if value}, **more}


def others_allowed(others: Schema) -> Schema:
    """What lets an object hold ``others`` beside its properties, under names of a limited length."""
    return {"additionalProperties": others, "propertyNames": string_schema(200)}


def nullable(schema: Schema) -> Schema:
    """``schema``, or null."""
    if "type" not in schema:
        return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def string_schema(max_length: int | None = None, min_length: int = 0, **more: Any) -> Schema:
    """The schema of a string of ``min_length`` to ``max_length`` characters, none of them NUL."""
    limits = {"minLength": min_length or None, "maxLength": max_length}
    given = {name: limit for name, limit in limits.items() if limit is not None}
    return {"type": "string", **given, "pattern": NO_NUL, **more}


def lines_of(schema: Schema) -> Schema:
    """The schema of NDJSON."""
    description = "One row a line; `contentSchema` is that of each."
    return {"type": "string", "contentMediaType": NDJSON, "contentSchema": schema, "description": description}


def _json(name: str, max_text: int | None, description: str) -> Schema:
    """A component for any JSON value of which each part is fit for the database."""
    itself = {"$ref": f"#/components/schemas/{name}"}
    values: list[Schema] = [
        {"type": ["null", "boolean"]},
        {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
        {"type": "number", "exclusiveMinimum": -(2**63), "exclusiveMaximum": 2**63},
        string_schema(max_text),
        {"type": "array", "items": itself},
        {"type": "object", **others_allowed(itself)},
    ]
    return component(name, {"description": description, "anyOf": values})


#: What is kept: part of an event, or of a message.
STORABLE = _json("Storable", 10_000, "JSON with numbers within 64 bits and without NUL, at most 32 levels deep.")
#: What is not read, but parsed.
IGNORED = _json("Ignored", None, "JSON that is not read; texts may be longer than those of `Storable`.")
_ERROR_SCHEMA: Schema = {
    "description": "What was wrong: `detail`, or the names of fields, each with what is allowed.",
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]
    },
}
_ERROR = component("Error", _ERROR_SCHEMA)
_ERROR_WITH_SENTENCE = component(
    "ErrorWithSentence",
    {
        **_ERROR_SCHEMA,
        "description": f"{_ERROR_SCHEMA['description']} `error` says the first of it in one sentence.",
        "properties": {"error": {"type": "string", "minLength": 1}},
        "required": ["error"],
    },
)


def example(value: Any, number: int = 1) -> OpenApiExample:
    """An example of a body or of a parameter."""
    return OpenApiExample(f"Example {number}", value)


def header(name: str, schema: Schema, description: str, value: Any, required: bool = True) -> OpenApiParameter:
    """A header of requests, with an example of it."""
    given: Any = {"location": OpenApiParameter.HEADER, "description": description, "examples": [example(value)]}
    return OpenApiParameter(name, schema, required=required, **given)


def conditional(parameters: list[Any]) -> list[Any]:
    """``parameters`` of a read, and what :mod:`smplat.lib.conditional` adds to them."""
    known = header("If-None-Match", {"type": "string"}, "The `ETag` of an earlier answer.", _TAG, required=False)
    tag = OpenApiParameter(
        "ETag",
        {"type": "string"},
        OpenApiParameter.HEADER,
        required=True,
        description="Names the content; send it as `If-None-Match` the next time.",
        response=[200, 304],
    )
    return [*parameters, known, tag]


def error(description: str, value: Schema | str) -> OpenApiResponse:
    """A response that says what was wrong: the names of fields, or a sentence; with an example of it."""
    return OpenApiResponse(_ERROR, description, [example({"detail": value} if isinstance(value, str) else value)])


UNCHANGED = OpenApiResponse(description="The content is the one that `If-None-Match` names.")
UNSUPPORTED = error("The body's content type is not one of these.", 'Unsupported media type "text/csv" in request.')
_UNAUTHORIZED = error("No credentials, or wrong ones.", "Authentication credentials were not provided.")
_FORBIDDEN = error("The operator lacks the permission.", "You do not have permission to perform this action.")
_TOO_MANY_KEYS = error("Too many wrong keys from this address.", "Too many wrong keys came from this address.")
_TOO_LARGE = error("The body is too large.", "The body is larger than 1048576 bytes.")
_AWAY = error(
    "The database is away; try again after `Retry-After` seconds.",
    "The database cannot be reached at the moment. Nothing was stored; please try again.",
)


def _next_page(path: str) -> Schema:
    """The link from a page of the list at ``path`` to the next one."""
    pointer = path.replace("~", "~0").replace("/", "~1")
    return {
        "operationRef": f"#/paths/{pointer}/get",
        "parameters": {"cursor": "$response.body#/nextCursor"},
        "description": "The next page; the last one has null for its cursor.",
    }


def _with_sentences(path: str, operation: Schema) -> None:
    """Describe the errors of the route at ``path`` with the sentence that its clients read."""
    contents = [content for answer in operation["responses"].values() for content in answer.get("content", {}).values()]
    for content in contents:
        if content.get("schema") == _ERROR:
            content["schema"] = _ERROR_WITH_SENTENCE
            for shown in content["examples"].values():
                shown["value"] = error_body(path, shown["value"])


class Inspector(AutoSchema):
    """drf-spectacular's, which also knows the errors that every endpoint may answer, and makes up examples."""

    def get_operation(self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any) -> Any:
        """Describe a method of the view, with what its description refers to by name."""
        for name, schema in _components.items():
            registry.register_on_missing(ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, object=name))
        operation = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is None:
            return None
        operation["operationId"] += getattr(self.view, "operation_suffix", "")
        if is_read_as_error(path):
            _with_sentences(path, operation)
        if any(parameter["name"] == "cursor" for parameter in operation.get("parameters", [])):
            operation["responses"]["200"]["links"] = {"nextPage": _next_page(path)}
        return operation

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """The name of a serializer's component, which one that is made for a feed says itself."""
        return getattr(serializer, "component_name", None) or super().get_serializer_name(serializer, direction)

    def _get_request_body(self, direction: Any = "request") -> Any:
        content = super()._get_request_body(direction)
        return content and {**content, "required": True}

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        for code, response in self._common_errors():
            if code not in bodies:
                bodies[code] = self._get_response_for_code(response, code, direction=direction)
        return dict(sorted(bodies.items()))

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: Any = None, direction: Any = "response"
    ) -> Any:
        """Describe one answer: by the serializer's own words, and each line of NDJSON as the serializer does."""
        if media_types == (NDJSON,):
            row = serializer.response
            line = json.dumps(example_of(row), separators=(",", ":"))
            schema = lines_of(self.resolve_serializer(row, direction).ref)
            serializer = OpenApiResponse(schema, serializer.description, [example(f"{line}\n")])
        elif not isinstance(serializer, OpenApiResponse):
            serializer = force_instance(serializer)
            serializer = OpenApiResponse(serializer, get_doc(type(serializer)))
        return super()._get_response_for_code(serializer, status_code, media_types, direction)

    def _common_errors(self) -> Iterator[tuple[str, OpenApiResponse]]:
        for query in self.get_override_parameters():
            if isinstance(query, serializers.Serializer):
                name, field = next(iter(query.fields.items()))
                yield "400", error("A bad parameter.", {name: [str(field.error_messages["invalid"])]})
        schemes = {name for requirement in self.get_auth() for name in requirement}
        if schemes:
            yield "401", _UNAUTHORIZED
        if ApiKeyScheme.name in schemes:
            yield "429", _TOO_MANY_KEYS
        if SessionScheme.name in schemes:
            yield "403", _FORBIDDEN
        if self.method == "POST":
            yield from self._body_errors()
        yield "503", _AWAY

    def _body_errors(self) -> Iterator[tuple[str, OpenApiResponse]]:
        yield "413", _TOO_LARGE
        request = self.get_request_serializer()
        if isinstance(request, serializers.Serializer):
            missing = next(name for name, field in request.fields.items() if field.required)
            yield "400", error("A bad body.", {missing: ["This field is required."]})
            yield "415", UNSUPPORTED

    def _get_examples(self, serializer: Any, *args: Any, **kwargs: Any) -> Any:
        given = super()._get_examples(serializer, *args, **kwargs)
        if given or not isinstance(serializer, serializers.BaseSerializer):
            return given
        return build_examples_list([example(example_of(serializer))])

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        # A mark for the hook of drf-spectacular that names enumerations, which stay where they are here.
        schema.pop("x-spec-enum-id", None)
        return schema

    def _insert_field_validators(self, field: Any, schema: Schema) -> None:
        # An extension has said everything. drf-spectacular would offer a blank text as one of two that both match it.
        if OpenApiSerializerFieldExtension.get_match(field) is None:
            super()._insert_field_validators(field, schema)


class Generator(SchemaGenerator):
    """drf-spectacular's, for views as well of which one class serves several feeds, by ``as_view(feed=…)``.

    Such a view has a method ``describe`` that returns the ``extend_schema`` of its feed.
    """

    def create_view(self, callback: Any, method: str, request: Any = None) -> Any:
        """The view of a route, with its own description."""
        view = super().create_view(callback, method, request)
        if hasattr(view, "describe"):
            # What the decorator does to a function is all that is wanted of it.
            view.schema = view.describe()(lambda: None).kwargs["schema"]()
        return view


class ServedGenerator(Generator):
    """Gives the document that the process has made: it is the same for everyone, and takes a while.

    Besides, Django REST framework keeps every view that a document was made from for as long as the process lives.
    """

    def get_schema(self, request: Any = None, public: bool = False) -> Schema:
        """The document, whoever asks for it."""
        return _document(self.api_version)


@cache
def _document(version: str) -> Schema:
    document: Schema = Generator(api_version=version).get_schema(public=True)
    return document


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """The API key of the storefront and of scripts."""

    target_class = "smplat.lib.access.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        description = "One of the keys in `CHECKOUT_API_KEY`."
        return {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": description}


class SessionScheme(OpenApiAuthenticationExtension):
    """The session of a signed-in operator."""

    target_class = "rest_framework.authentication.SessionAuthentication"
    name = "Session"
    priority = 1

    def get_security_definition(self, auto_schema: Any) -> Schema:
        description = "An operator who is signed in at `/admin/`; a POST needs the header `X-CSRFToken` as well."
        name = settings.SESSION_COOKIE_NAME
        return {"type": "apiKey", "in": "cookie", "name": name, "description": description}
