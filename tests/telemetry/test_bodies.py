"""Parsing of bodies: its time is that of the bytes, whatever they spell."""

import gc
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry import bodies
from telemetry.bodies import BodyError, TooManyEventsError, parse, problem_of
from tests.factories import quick_order_event, workflow_event

#: How often the largest body may take as long a byte as the smallest. A machine with other work is uneven; what is
#: quadratic takes 16 times as long.
MAX_GROWTH = 8.0
SIZES = tuple(65_536 << step for step in range(5))
#: Bodies of about so many bytes, each meant to make a parser go over the same bytes again and again.
SHAPES = {
    "unterminated strings behind deep brackets": lambda n: "[" * 2_000 + '"\\' * (n // 2),
    "quotes behind deep brackets": lambda n: "[" * 2_000 + '"' * n,
    "backslashes behind deep brackets": lambda n: "[" * 2_000 + '"' + "\\" * n,
    "objects with unterminated strings behind deep brackets": lambda n: "[" * 2_000 + '{"a":"\\' * (n // 7),
    "brackets": lambda n: "[" * n,
    "closed brackets": lambda n: "[" * (n // 2) + "]" * (n // 2),
    "closing brackets": lambda n: "]" * n,
    "nested objects": lambda n: '{"a":' * (n // 5),
    "deep items of an array": lambda n: "[" + ",".join(["[" * 1_500 + "]" * 1_500] * (n // 3_000)) + "]",
    "escaped quotes": lambda n: '"' + '\\"' * (n // 2),
    "an unterminated string": lambda n: '"' + "a" * n,
    "a string of escapes": lambda n: '"' + "\\u00e9" * (n // 6) + '"',
    "strings": lambda n: "[" + ",".join(['""'] * (n // 3)) + "]",
    "empty arrays": lambda n: "[" + ",".join(["[]"] * (n // 3)) + "]",
    "documents behind each other": lambda n: '{"a":1}' * (n // 7),
    "digits": lambda n: "1" * n,
    "digits of a fraction": lambda n: "0." + "1" * n,
    "an exponent": lambda n: "1e" + "9" * n,
    "minus signs": lambda n: "-" * n,
    "spaces": lambda n: " " * n + "{",
    "line breaks": lambda n: "\n" * n + "x",
    "broken lines": lambda n: "a\n" * (n // 2),
    "lines": lambda n: "{}\n" * (n // 3),
    "lines of brackets": lambda n: ("[" * 999 + "\n") * (n // 1_000),
    "a long key": lambda n: '{"' + "k" * n + '":1}',
    "many keys": lambda n: "{" + ",".join(f'"{number}":1' for number in range(n // 9)) + "}",
    "one key again and again": lambda n: "{" + ",".join(['"k":1'] * (n // 6)) + "}",
    "numbers that are none": lambda n: "[" + ",".join(["NaN"] * (n // 4)) + "]",
    "bytes that are no UTF-8": lambda n: '"' + "\udcff" * n + '"',
    "comments": lambda n: "/*" * (n // 2),
}


@pytest.fixture(scope="module", autouse=True)
def _frozen():
    """Spares the measurements the collector's walk over the objects of the whole suite."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def seconds_a_byte(content: bytes) -> float:
    """The least of three measurements, without the time of other processes."""
    measured = []
    for _ in range(3):
        began = time.process_time()
        try:
            for event in parse(content, is_ndjson=False, max_events=1_000).events:
                problem_of(event)
        except (BodyError, TooManyEventsError):
            pass
        measured.append(time.process_time() - began)
    return min(measured) / len(content)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_time_a_byte_does_not_grow_with_the_body(shape):
    smallest, *_, largest = SIZES
    # What a few bytes cost at least drowns in the noise of the clock.
    first = max(seconds_a_byte(shape(smallest).encode(errors="surrogateescape")), 1e-9)

    for size in SIZES[1:]:
        grown = seconds_a_byte(shape(size).encode(errors="surrogateescape"))
        assert grown < MAX_GROWTH * max(first, 5e-9), f"{size} bytes: {grown * size:.3f} s"


def test_the_items_of_a_body_that_is_nested_too_deep_are_kept():
    deep = "[" * 100_000 + "]" * 100_000
    events = parse(f'[{{"name":"a, [\\"b]"}}, {deep}, {{"name":"c\\\\"}}]'.encode(), is_ndjson=False).events

    assert [event["name"] for event in (events[0], events[2])] == ['a, ["b]', "c\\"]
    assert problem_of(events[1]) == "event: nested past 32 levels"


EDGES = [0, -1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, 0.5, -0.0, 1e18, 9.3e18, -9.3e18, 1e308]
TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["", "\0", "\ud800", "\\u0000", "é", "k" * 200, "k" * 201, "x" * 10_000, "x" * 10_001]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.sampled_from(EDGES), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)
#: What Python's parser, or only Python's parser, takes for JSON.
ODDITIES = ["NaN", "-Infinity", "1e400", "[1,]", '{"a":1,"a":2}', "\ufeff{}", " {} ", "-0", "1E2", "01", '"\t"', "{}{}"]


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


@given(st.one_of(VALUES.map(json.dumps), st.sampled_from([*ODDITIES, *map(nested, (31, 32, 33, 1_500))])))
@settings(max_examples=300, deadline=None)
def test_the_short_way_of_parsing_agrees_with_the_long_one(text):
    content = text.encode("utf-8", "surrogatepass")

    if (short := bodies._parse_plain(content)) is not None:
        long = bodies._parse(content, is_ndjson=False, max_events=None)
        assert repr((short.events, short.is_batch)) == repr((long.events, long.is_batch))
        assert [problem_of(event) for event in short.events] == [None] * len(short.events)


def test_what_storefronts_send_takes_the_short_way():
    assert parse(json.dumps([quick_order_event(), workflow_event()]).encode(), is_ndjson=False).is_storable
