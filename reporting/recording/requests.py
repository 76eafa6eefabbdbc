"""What REST clients may send, derived from the feeds: names, types, limits and what may be missing.

Types are checked strictly, so that what was meant as a number or an object never becomes a string. Keys may be spelled
in camelCase or snake_case; unknown ones are ignored, since older clients send more than is stored.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from math import inf
from typing import Any, ClassVar, cast
from uuid import UUID

import orjson
from django.conf import settings
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from reporting.feeds import Column, ColumnType, Feed
from reporting.feeds.shapes import model_of
from reporting.recording import followups, segments

MAX_EXPERIMENTS, _MAX_EXPERIMENT_TEXT = 1_000, 255
MAX_ATTACHMENTS, _MAX_ATTACHMENTS_BYTES = 20, 65_536
# RFC 3986 allows none of the excluded characters in a URL; they could break out of a link in HTML or in Slack.
HTTP_URL = r"^[hH][tT][tT][pP][sS]?://[^\s\x00-\x1f\x7f/?#<>\"\\^`{|}][^\s\x00-\x1f\x7f<>\"\\^`{|}]*\Z"
# A reference without scheme and host, of the same characters.
RELATIVE_URL = r"^(?!//)[^\s\x00-\x1f\x7f:/?#<>\"\\^`{|}]*([/?#][^\s\x00-\x1f\x7f<>\"\\^`{|}]*)?\Z"
_CAPITAL = re.compile(r"(?=[A-Z])")


def _all_say(allowed: str, *errors: str) -> dict[str, Any]:
    """Messages for each of ``errors`` that say what is allowed."""
    return dict.fromkeys(errors, allowed)


class StringField(serializers.CharField):
    """A text, kept as it was sent."""

    def __init__(self, **options: Any) -> None:
        minimum = 0 if options.get("allow_blank") else 1
        allowed = f"Must be a string of {minimum} to {options['max_length']} characters."
        messages = _all_say(allowed, "invalid", "blank", "max_length", "null")
        super().__init__(trim_whitespace=False, error_messages=messages, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the text; refuse what is none."""
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class HttpUrlField(serializers.RegexField):
    """An http(s) URL; a script or another scheme never gets into a page or a message. An empty text is none.

    A relative one is taken for one of the desk.
    """

    def __init__(self, **options: Any) -> None:
        allowed = f"Must be an http:// or https:// URL of at most {options['max_length']} characters."
        messages = _all_say(allowed, "invalid", "max_length")
        super().__init__(HTTP_URL, trim_whitespace=False, error_messages=messages, **options)

    def to_internal_value(self, data: Any) -> str:
        """Return the URL with its host; refuse what is no text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return f"{settings.PUBLIC_BASE_URL}/{data.removeprefix('/')}" if re.match(RELATIVE_URL, data) else data


class AttachmentsField(serializers.ListField):
    """What a client sends with a follow-up, kept as it is."""

    child = serializers.JSONField(allow_null=True)

    def __init__(self) -> None:
        self._limit = f"Must be a list of up to {MAX_ATTACHMENTS} attachments, {_MAX_ATTACHMENTS_BYTES:,} bytes in all."
        super().__init__(
            max_length=MAX_ATTACHMENTS,
            allow_null=True,
            default=None,
            help_text="Shown beside the follow-up and in Slack, and not exported.",
            error_messages=_all_say(self._limit, "not_a_list", "max_length"),
        )

    def to_internal_value(self, data: Any) -> list[Any]:
        """Return the list; refuse a large one."""
        values: list[Any] = super().to_internal_value(data)
        if len(orjson.dumps(values)) > _MAX_ATTACHMENTS_BYTES:
            self.fail("max_length")
        return values


class StrictBooleanField(serializers.BooleanField):
    """True or false, and nothing that merely reads like it."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the boolean; refuse what is none."""
        if not isinstance(data, bool):
            raise ValidationError("Must be true or false.")
        return data


class StrictUUIDField(serializers.UUIDField):
    """A UUID as a string."""

    def to_internal_value(self, data: Any) -> UUID:
        """Return the UUID; refuse what is none."""
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class WireObject(serializers.Serializer[Any]):
    """A JSON object with keys in either spelling."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the values by the names of the columns that they fill."""
        if not isinstance(data, Mapping):
            raise ValidationError("Must be an object.")
        names = [str(name) for name in self.fields]
        spelled = {name: data[snake_case(name)] for name in names if snake_case(name) in data}
        return cast(dict[str, Any], super().to_internal_value({**spelled, **data}))


@cache
def snake_case(name: str) -> str:
    """``name`` in the other spelling: ``variantKey`` as ``variant_key``."""
    return _CAPITAL.sub("_", name).lower()


def fields_of(feed: Feed, columns: Iterable[Column], longest: float = inf) -> dict[str, Any]:
    """The fields that fill ``columns`` of ``feed``, by the last part of their names in the wire shape.

    Args:
        feed: the feed.
        columns: the columns.
        longest: how many characters a text may have, where its column could hold more.
    """
    return {column.wire[0].rpartition(".")[2]: _field(feed, column, longest) for column in columns}


def _field(feed: Feed, column: Column, longest: float) -> Any:
    definition: Any = model_of(feed)._meta.get_field(column.name)
    # REST framework refuses a source that says no more than the field's name.
    options: dict[str, Any] = {} if column.wire[0] == column.name else {"source": column.name}
    options["help_text"] = column.help
    if column.nullable:
        options |= {"allow_null": True, "default": None}
    if column.type is ColumnType.BOOLEAN:
        return StrictBooleanField(**options)
    if definition.choices:
        allowed = f"Must be one of {', '.join(value for value, _ in definition.choices)}."
        messages = _all_say(allowed, "invalid_choice", "null")
        return serializers.ChoiceField(choices=definition.choices, error_messages=messages, **options)
    if column.nullable:
        options["allow_blank"] = True
    field = HttpUrlField if column.name == "conversion_href" else StringField
    return field(max_length=min(definition.max_length, longest), **options)


class Experiment(WireObject):
    """An experiment that an order saw, and the variant that it was assigned to."""

    def get_fields(self) -> dict[str, Any]:
        return fields_of(segments.FEED, segments.EXPERIMENT_COLUMNS, _MAX_EXPERIMENT_TEXT)


class Recording(WireObject):
    """The body that reports the experiments of an order."""

    experiments = serializers.ListField(
        child=Experiment(),
        min_length=1,
        max_length=MAX_EXPERIMENTS,
        error_messages={"min_length": "This list may not be empty."},
    )
    orderNumber = StringField(max_length=100, allow_null=True, allow_blank=True, default=None, source="order_number")
    journeyId = StrictUUIDField(allow_null=True, default=None, source="journey_id")


class PlatformContext(WireObject):
    """The platform that a follow-up is about."""

    columns: ClassVar = [column for column in followups.GIVEN_COLUMNS if column.name in followups.PLATFORM_COLUMNS]

    def get_fields(self) -> dict[str, Any]:
        """The columns of a follow-up that stand in its nested object."""
        return fields_of(followups.FEED, self.columns)


class FollowUp(WireObject):
    """The body that records a follow-up."""

    def get_fields(self) -> dict[str, Any]:
        """The columns of a follow-up that the client fills, some of them in a nested object."""
        flat = [column for column in followups.GIVEN_COLUMNS if column not in PlatformContext.columns]
        return {
            **fields_of(followups.FEED, flat),
            "platformContext": PlatformContext(allow_null=True, default=None),
            "attachments": AttachmentsField(),
        }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return a value for every column; an empty link or slice is none, as forms send it."""
        values = super().to_internal_value(data)
        context = values.pop("platformContext") or {column.name: None for column in PlatformContext.columns}
        blanks = {name: values[name] or None for name in ("conversion_cursor", "conversion_href")}
        attachments = values.pop("attachments")
        return {**values, **({"attachments": attachments} if attachments else {}), **context, **blanks}


# Validation keeps nothing in a serializer, so one of each kind serves all requests and threads.
RECORDING, FOLLOW_UP = Recording(), FollowUp()


def validated(serializer: WireObject, data: Any) -> dict[str, Any]:
    """The values of the body ``data``, by the names of the columns that they fill.

    Raises:
        ValidationError: some are missing or wrong; each is named by its path, such as ``experiments[1].slug``.
    """
    try:
        return cast(dict[str, Any], serializer.run_validation(data))
    except ValidationError as error:
        raise ValidationError(dict(_by_path(error.detail, ""))) from error


def _by_path(errors: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Flatten nested errors to one list of messages per path."""
    if isinstance(errors, Mapping):
        for name, inner in errors.items():
            # REST framework names the items of a list by their number.
            step = f"[{name}]" if isinstance(name, int) else f".{name}" if path else name
            yield from _by_path(inner, f"{path}{step}")
    else:
        yield path, [str(message) for message in errors]
