"""Query parameters and headers, as the OpenAPI document describes them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from reporting.api import examples
from smplat.lib.openapi import Schema


def query(name: str, schema: Schema, description: str, example: Any = None) -> OpenApiParameter:
    """A parameter of the query."""
    given = [] if example is None else [OpenApiExample("Example", example)]
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=description, examples=given)


def sent_back(name: str, schema: Schema, description: str) -> OpenApiParameter:
    """A header of the answer 200."""
    return OpenApiParameter(
        name, schema, OpenApiParameter.HEADER, required=True, description=description, response=[200]
    )


def limit(maximum: int | None, default: int, description: str = "How many rows to return at most.") -> OpenApiParameter:
    """How much to return; ``maximum`` is None where more is asked for in vain, but may be."""
    upper = {} if maximum is None else {"maximum": maximum}
    return query("limit", {"type": "integer", "minimum": 1, **upper, "default": default}, description)


CURSOR = query(
    "cursor",
    {"type": "string", "format": "cursor"},
    "The `nextCursor` of the page before, or a time with an offset, from 1970 to 2200.",
    examples.CURSOR,
)
ORDER = query(
    "order",
    {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
    "`desc` walks from the newest row, `asc` from the oldest.",
)
