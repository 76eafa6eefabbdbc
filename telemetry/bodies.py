"""Request bodies of the capture routes: from bytes to events, each either readable or refused with a reason.

A body is one JSON event, a JSON array of events, or NDJSON (one event a line). What makes a single event unfit to be
stored does not spoil its neighbours.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import orjson

MAX_DEPTH = 32
MAX_STRING = 10_000
MAX_KEY = 200
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1
# A JSON string, or one bracket outside of strings: enough to find where a value ends. A string without an end goes to
# the end of the text, and never gives back what it has taken, so that no byte is looked at twice.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_SPACE = " \t\r\n"
_NUL = b"\\u0000"


class BodyError(ValueError):
    """The body as a whole is not what the route takes; the message says what is allowed."""


@dataclass(frozen=True)
class Unstorable:
    """Stands in a parsed value where the client sent something that no JSON column can hold."""

    problem: str


@dataclass(frozen=True)
class Body:
    """The events of one request.

    Attributes:
        events: parsed values, in the client's order; an :class:`Unstorable` for one that could not be parsed.
        is_batch: whether the client sent a list, so that bad events are reported by their index.
        is_storable: whether :func:`problem_of` is known to find nothing in any event; False says nothing.
    """

    events: list[Any]
    is_batch: bool
    is_storable: bool = False


class TooManyEventsError(ValueError):
    """The body holds more events than the route takes at once."""

    def __init__(self, count: int, max_events: int) -> None:
        super().__init__(f"The body holds {count} events; send at most {max_events}.")


def parse(content: bytes, is_ndjson: bool, max_events: int | None = None) -> Body:
    """Split ``content`` into events, in time that is linear in its bytes.

    Args:
        content: the request's body.
        is_ndjson: whether the client announced NDJSON; otherwise NDJSON is recognised where it is no single document.
        max_events: how many events the route takes at once; None for any number.

    Raises:
        BodyError: the body is empty, or no JSON at all.
        TooManyEventsError: it holds more than ``max_events``.
    """
    body = (None if is_ndjson else _parse_plain(content)) or _parse(content, is_ndjson, max_events)
    if max_events is not None and len(body.events) > max_events:
        raise TooManyEventsError(len(body.events), max_events)
    return body


def _parse_plain(content: bytes) -> Body | None:
    """The body where it is what nearly all are: JSON with nothing unusual in it; several times as fast."""
    if _NUL in content:
        return None
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    is_batch = isinstance(document, list)
    events = document if is_batch else [document]
    is_plain = bool(events) and all(isinstance(event, dict) and _is_plain(event.items(), 1) for event in events)
    return Body(events, is_batch, is_storable=True) if is_plain else None


def _is_plain(items: Iterable[tuple[Any, Any]], depth: int) -> bool:
    """Whether what an object or array at ``depth`` holds is storable; False where that needs a closer look.

    orjson has refused what is not UTF-8, and has made a float of an integer that is far too large.
    """
    for key, item in items:
        kind = type(item)
        if kind is str:
            is_plain = len(item) <= MAX_STRING
        elif kind is dict:
            is_plain = depth < MAX_DEPTH and _is_plain(item.items(), depth + 1)
        elif kind is list:
            is_plain = depth < MAX_DEPTH and _is_plain(zip(repeat(""), item), depth + 1)
        else:
            is_plain = item is None or _MIN_INTEGER < item < _MAX_INTEGER
        if not is_plain or len(key) > MAX_KEY:
            return False
    return True


def _parse(content: bytes, is_ndjson: bool, max_events: int | None) -> Body:
    # Bytes that are not UTF-8 become lone surrogates, which spoil only the event in which they stand.
    text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff").strip(_SPACE)
    if not text:
        raise BodyError("The body is empty; send one event, an array of events, or NDJSON.")
    if is_ndjson:
        return _parse_lines(text, max_events)
    try:
        document = _decode(text)
    except RecursionError:
        return _parse_deep(text)
    except ValueError as error:
        if "\n" in text:
            return _parse_lines(text, max_events)
        raise BodyError(f"The body is not JSON: {error}.") from error
    if not isinstance(document, list):
        return Body([document], is_batch=False)
    if not document:
        raise BodyError("The array is empty; send at least one event.")
    return Body(document, is_batch=True)


def problem_of(value: Any, path: str = "", depth: int = 1) -> str | None:
    """Say which part of ``value`` cannot be stored and why; None when all of it can.

    Args:
        value: a parsed JSON value.
        path: the name of ``value`` in the message.
        depth: how many levels deep ``value`` stands; an event itself is level 1.
    """
    if isinstance(value, str):
        return _problem_of_string(value, path, MAX_STRING)
    if isinstance(value, Unstorable):
        return f"{path or 'event'}: {value.problem}"
    if isinstance(value, (dict, list)):
        if depth > MAX_DEPTH:
            return f"{path}: nested past {MAX_DEPTH} levels"
        return (
            _problem_of_object(value, path, depth) if isinstance(value, dict) else _problem_of_array(value, path, depth)
        )
    return None


def _problem_of_object(value: dict[str, Any], path: str, depth: int) -> str | None:
    for key, item in value.items():
        name = f"{path}.{key}" if path else key
        if problem := _problem_of_string(key, "", MAX_KEY):
            return _printable(name) + problem
        if problem := problem_of(item, name, depth + 1):
            return problem
    return None


def _problem_of_array(value: list[Any], path: str, depth: int) -> str | None:
    for index, item in enumerate(value):
        if problem := problem_of(item, f"{path}[{index}]", depth + 1):
            return problem
    return None


def _problem_of_string(text: str, path: str, limit: int) -> str | None:
    if len(text) > limit:
        return f"{path}: longer than {limit:,} characters"
    if "\x00" in text:
        return f"{path}: holds a NUL character"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return f"{path}: holds a lone surrogate or invalid UTF-8"
    return None


def _printable(name: str) -> str:
    return name[:MAX_KEY].encode(errors="replace").decode().replace("\x00", "?")


def _whole(digits: str) -> int | Unstorable:
    if len(digits) <= 20 and _MIN_INTEGER <= (number := int(digits)) <= _MAX_INTEGER:
        return number
    return Unstorable("an integer beyond 64 bits")


def _fraction(digits: str) -> float | Unstorable:
    number = float(digits)
    if math.isinf(number) or abs(number) >= 2**63:
        return Unstorable("a number beyond 64 bits")
    return number


_DECODER = json.JSONDecoder(
    parse_int=_whole,
    parse_float=_fraction,
    parse_constant=lambda name: Unstorable(f"{name} is not a JSON number"),
)


def _decode(text: str) -> Any:
    return _DECODER.decode(text)


def _parse_lines(text: str, max_events: int | None) -> Body:
    lines = [line for line in text.split("\n") if line.strip(_SPACE)]
    # What is too much is not parsed to be refused.
    events = [_parse_line(line) for line in lines[:max_events]]
    if all(isinstance(event, Unstorable) and event.problem.startswith("not JSON") for event in events):
        raise BodyError("The body is not JSON; send one event, an array of events, or one event a line.")
    if len(lines) > len(events):
        raise TooManyEventsError(len(lines), len(events))
    return Body(events, is_batch=True)


def _parse_line(line: str) -> Any:
    try:
        return _decode(line.strip(_SPACE))
    except RecursionError:
        return Unstorable(f"nested past {MAX_DEPTH} levels")
    except ValueError as error:
        return Unstorable(f"not JSON: {error}")


def _parse_deep(text: str) -> Body:
    """Split a body that is nested too deep to be parsed whole, so that its other events are kept."""
    if not text.startswith("["):
        return Body([_parse_line(text)], is_batch=False)
    items = _array_items(text)
    if not items:
        raise BodyError("The body is not JSON: its brackets do not match.")
    return Body([_parse_line(item) for item in items], is_batch=True)


def _array_items(text: str) -> list[str]:
    """The source of each object and array that stands directly in the JSON array ``text``."""
    items, depth, start = [], 0, 0
    for match in _STRING_OR_BRACKET.finditer(text):
        token = match.group()
        if token in "[{":
            depth += 1
            if depth == 2:
                start = match.start()
        elif token in "]}":
            if depth == 2:
                items.append(text[start : match.end()])
            depth -= 1
    return items if depth == 0 else []
