"""Parameters of queries: their limits, the errors that name them, and what the OpenAPI document says of them."""

import re
from functools import cache
from typing import Any, cast

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from reporting.feeds import cursors
from reporting.feeds.filters import is_storable
from smplat.lib import examples

_LIMIT = re.compile(r"([0-9]{1,9})")
# A longer number is capped as well, so that its first digits tell enough.
_CAPPED_LIMIT = re.compile(r"\s*([0-9]{1,9})[0-9]*\s*")


class LimitField(serializers.IntegerField):
    """How much to return: from 1 to ``maximum``; where it ``is_capped``, more is asked for in vain, but may be."""

    def __init__(self, maximum: int, default: int, help_text: str, is_capped: bool = False) -> None:
        rule = f"from 1; at most {maximum} are returned" if is_capped else f"from 1 to {maximum}"
        super().__init__(
            min_value=1,
            max_value=None if is_capped else maximum,
            default=default,
            help_text=help_text,
            error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), f"Must be a whole number {rule}."),
        )
        self._maximum, self._is_capped = maximum, is_capped

    def to_internal_value(self, data: Any) -> int:
        """Return the number; refuse a text that is none."""
        match = (_CAPPED_LIMIT if self._is_capped else _LIMIT).fullmatch(data)
        if match is None:
            self.fail("invalid")
        return min(int(match[1]), self._maximum) if self._is_capped else int(match[1])


@extend_schema_field({"type": "string", "format": "cursor", "examples": [f"{examples.AT}~{examples.UUID}"]})
class CursorField(serializers.Field[cursors.Cursor, str, str, Any]):
    """Where a walk over rows goes on."""

    def to_internal_value(self, data: str) -> cursors.Cursor:
        """Return the cursor; refuse a text that is none."""
        try:
            return cursors.parse(data)
        except cursors.CursorError as error:
            raise ValidationError(str(error)) from error


class TextField(serializers.CharField):
    """A string of 1 to ``max_length`` characters, none of them NUL; None when it is not given."""

    def __init__(self, max_length: int, help_text: str) -> None:
        message = f"Must be a string of 1 to {max_length} characters, none of them NUL."
        messages: dict[str, Any] = dict.fromkeys(("invalid", "blank"), message)
        super().__init__(
            max_length=max_length, default=None, help_text=help_text, trim_whitespace=False, error_messages=messages
        )

    def to_internal_value(self, data: Any) -> str:
        """Return the text; refuse one that no column holds."""
        if not is_storable(data, self.max_length or 0):
            self.fail("invalid")
        return str(data)


def query(**fields: Any) -> serializers.Serializer[Any]:
    """A serializer of the parameters of a query."""
    return inline_serializer("Query", fields)


@cache
def page_query(max_rows: int, default_rows: int, **more: Any) -> serializers.Serializer[Any]:
    """The parameters of a list that is walked page by page, and ``more``."""
    return query(
        limit=LimitField(max_rows, default_rows, "How many rows to return at most."),
        cursor=CursorField(
            default=None,
            help_text="The `nextCursor` of the page before, or a time with an offset, from 1970 to 2200.",
        ),
        order=serializers.ChoiceField(
            ["asc", "desc"],
            default="desc",
            help_text="`desc` walks from the newest row, `asc` from the oldest.",
            error_messages={"invalid_choice": "Must be asc, oldest first, or desc, newest first."},
        ),
        **more,
    )


@cache
def window_query(window: int, what: str) -> serializers.Serializer[Any]:
    """The parameter of an endpoint that reads the newest events of a window; ``what`` says what it does with them."""
    help_text = f"How many of the newest events to {what}; at most {window:,} are."
    return query(limit=LimitField(window, window, help_text, is_capped=True))


def read(parameters: serializers.Serializer[Any], request: Request) -> dict[str, Any]:
    """The values of the query, by name; those that are not given have their defaults.

    Raises:
        ValidationError: some are wrong; each is named.
    """
    # A query would be read like a form, in which an empty value is none.
    return cast(dict[str, Any], parameters.run_validation(request.query_params.dict()))
