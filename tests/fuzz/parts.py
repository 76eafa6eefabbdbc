"""Parts of requests that many routes share: queries, headers, bodies, cursors and tokens."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.fuzz import values
from tests.fuzz.requests import KEY, NOBODY, OPERATOR, WRONG_KEY, Pairs, Request

Value = Callable[[Random, "Known"], str]
#: Makes one request.
Maker = Callable[[Random, "Known"], Request]
_CONTENT_TYPES = (
    "",
    "application/json; charset=utf-8",
    "application/json; charset=utf-16",
    "application/json; charset=no-such-thing",
    'application/json; charset="\\"',
    "application/json;;;=",
    "APPLICATION/JSON",
    "application/x-ndjson",
    "text/plain;charset=UTF-8",
    "text/csv",
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=a",
    "multipart/form-data; boundary=" + "a" * 300,
    "*/*",
    "\xff/\xfe",
    "a" * 2_000,
)
_HEADERS = (
    ("Accept", "text/html"),
    ("Accept", "application/xml;q=0.9, */*;q=a"),
    ("Accept", "a" * 3_000),
    ("Accept-Encoding", "gzip, br;q=2"),
    ("Accept-Language", "\xff\xfe"),
    ("Authorization", "Basic !!!"),
    ("Authorization", "Bearer"),
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "identity, br"),
    ("Cookie", "sessionid=\xff; csrftoken=" + "a" * 500),
    ("Cookie", 'a="\\054\\"; sessionid'),
    ("Expect", "100-continue"),
    ("Host", "[::1"),
    ("Host", "evil.test"),
    ("Host", "127.0.0.1:99999"),
    ("If-Modified-Since", "Thu, 32 Foo 99999 99:99:99 GMT"),
    ("If-None-Match", '"' * 50),
    ("Origin", "null"),
    ("Origin", "http://evil.test\\"),
    ("Range", "bytes=-1,9-3"),
    ("Referer", "\xe9"),
    ("User-Agent", ""),
    ("X-API-Key", "\xff\xfe"),
    ("X-API-Key", "a" * 5_000),
    ("X-Forwarded-For", "not an address, ::1, 10.0.0.300"),
    ("X-Forwarded-For", ""),
    ("X-Forwarded-Proto", "gopher"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Requested-With", "XMLHttpRequest"),
    ("HX-Request", "true"),
)
_OTHER_METHODS = ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "A")


@dataclass
class Known:
    """What the desk holds, so that requests come by more than "not found".

    Attributes:
        keys: ids of rows, by the feed's key.
        orders: ids of orders.
        cursors: cursors of REST.
        runs: ids of runs that have an object.
        manifests: the files with their manifests, in the same order.
        tokens: signed tokens of the lake's files.
        providers: ids of providers.
    """

    keys: dict[str, list[str]] = field(default_factory=dict)
    orders: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    providers: list[str] = field(default_factory=list)


def one_of(*choices: str) -> Value:
    """One of some values, or now and then any other."""
    return lambda rng, known: rng.choice(choices) if rng.random() < 0.9 else values.anything(rng)


def text(rng: Random, known: Known) -> str:
    return values.string(rng)


def number(rng: Random, known: Known) -> str:
    return values.number(rng)


def day(rng: Random, known: Known) -> str:
    return values.moment(rng)[: rng.choice((10, 40))]


def cursor(rng: Random, known: Known) -> str:
    """A cursor of REST: a good one, one that was tampered with, or one made up."""
    if known.cursors and rng.random() < 0.5:
        return tampered(rng, rng.choice(known.cursors))
    tie = rng.choice(("", "~", f"~{values.identifier(rng)}", f"~~{values.string(rng)}"))
    return values.moment(rng) + tie


def tampered(rng: Random, text: str) -> str:
    """``text`` as it is, or with a small damage."""
    if rng.random() < 0.4:
        return text
    return values.damaged(rng, text.encode()).decode("latin-1")


def key_of(feed: str) -> Value:
    """The id of a row of a feed, or something like one."""
    return lambda rng, known: _either(rng, known.keys.get(feed, []), values.identifier)


def provider(rng: Random, known: Known) -> str:
    return _either(rng, known.providers, values.string)


def run(rng: Random, known: Known) -> str:
    return _either(rng, known.runs, values.identifier)


def order(rng: Random, known: Known) -> str:
    return _either(rng, known.orders, values.anything)


def token(rng: Random, known: Known) -> str:
    return tampered(rng, rng.choice(known.tokens)) if known.tokens and rng.random() < 0.8 else values.string(rng)


def _either(rng: Random, known: list[str], other: Callable[[Random], str]) -> str:
    return rng.choice(known) if known and rng.random() < 0.7 else other(rng)


def query(rng: Random, known: Known, parameters: Mapping[str, Value]) -> Pairs:
    """Some of ``parameters``, now and then one twice or an unknown one, percent-encoded."""
    names = [name for name in parameters if rng.random() < min(0.5, 2.5 / len(parameters))]
    if parameters and rng.random() < 0.1:
        names.append(rng.choice(list(parameters)))
    pairs = [(name, values.encoded(rng, parameters[name](rng, known))) for name in names]
    if rng.random() < 0.05:
        pairs.append((values.encoded(rng, values.string(rng)), values.encoded(rng, values.string(rng))))
    return tuple(pairs)


def segment(rng: Random, text: str) -> str:
    """``text`` as one segment of a path."""
    return values.encoded(rng, text).replace("/", "%2F").replace("?", "%3F").replace("#", "%23") or "%20"


def headers(rng: Random) -> Pairs:
    """A hostile header, now and then."""
    return (rng.choice(_HEADERS),) if rng.random() < 0.15 else ()


def content_type(rng: Random, usual: str) -> Pairs:
    """The content type of a body: the usual one, or now and then another or none."""
    if rng.random() < 0.85:
        return (("Content-Type", usual),)
    other = rng.choice(_CONTENT_TYPES)
    return (("Content-Type", other),) if other else ()


def key_or_operator(rng: Random) -> str:
    """Whom a keyed read lets in, and now and then whom it does not."""
    return rng.choices((KEY, OPERATOR, NOBODY, WRONG_KEY), (16, 2, 1, 1))[0]


def operator(rng: Random) -> str:
    """Whom a page lets in, and now and then whom it does not."""
    return rng.choices((OPERATOR, NOBODY, KEY), (18, 1, 1))[0]


def method(rng: Random, usual: str) -> str:
    return usual if rng.random() < 0.97 else rng.choice(_OTHER_METHODS)


def json_body(rng: Random, example: Any) -> bytes:
    """The JSON of ``example`` with some of its values replaced, and now and then damaged."""
    body = values.to_bytes(rng, _spelled(rng, example))
    return values.damaged(rng, body) if rng.random() < 0.15 else body


def _spelled(rng: Random, value: Any) -> str:
    """The text of a JSON value, of which parts are replaced, left out or there twice."""
    if rng.random() < 0.025:
        return values.json_text(rng)
    if isinstance(value, dict):
        members = [f"{json.dumps(key)}:{_spelled(rng, item)}" for key, item in value.items() if rng.random() < 0.99]
        if members and rng.random() < 0.03:
            members.append(rng.choice(members))
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(_spelled(rng, item) for item in value)}]"
    return json.dumps(value)
