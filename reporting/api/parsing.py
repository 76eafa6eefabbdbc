"""JSON in and out of the REST endpoints."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from smplat.lib.errors import TooLargeError
from telemetry.bodies import MAX_DEPTH, MAX_STRING, BodyError, parse, problem_of


class ObjectParser(BaseParser):
    """Reads a body that is one JSON object, all of which could be stored."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the object.

        Raises:
            ValidationError: the body is no JSON object, or holds what no database can; the part of it is named.
            TooLargeError: the body has too many bytes.
        """
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        content = stream.read(limit + 1)
        if len(content) > limit:
            raise TooLargeError(f"The body is larger than {limit} bytes.")
        return _object(content)


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = parse(content, is_ndjson=False)
    except BodyError as error:
        raise ValidationError({"body": ["Must be a JSON object."]}) from error
    value = None if body.is_batch else body.events[0]
    # A text's limit is that of its field. Unknown keys are ignored, so that the length of theirs does not matter.
    if problem := problem_of(_shortened(value)):
        path, _, reason = problem.partition(": ")
        raise ValidationError({"body" if path in {"", "event"} else path: [reason]})
    if not isinstance(value, dict):
        raise ValidationError({"body": ["Must be a JSON object."]})
    return value


def _shortened(value: Any, depth: int = 1) -> Any:
    """``value`` with its texts cut to a length that passes every check."""
    if isinstance(value, str):
        return value[:MAX_STRING]
    if depth > MAX_DEPTH:
        return value
    if isinstance(value, dict):
        return {key: _shortened(item, depth + 1) for key, item in value.items()}
    return [_shortened(item, depth + 1) for item in value] if isinstance(value, list) else value


class JsonRenderer(BaseRenderer):
    """Writes JSON several times faster than the standard library, which a page of a thousand rows is worth."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data)
