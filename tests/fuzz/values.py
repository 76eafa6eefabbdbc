"""Hostile values: strings, numbers, times, identifiers, JSON and bytes, each drawn by a seeded generator."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import quote

_STRINGS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "\u202egnp.exe",
    "\u2028",
    "\x1b[31m",
    "é" * 300,
    "😀" * 130,
    "a" * 201,
    "a" * 10_001,
    "'; DROP TABLE auth_user; --",
    "' OR 1=1",
    "%s %d %n {0} {x} ${jndi:ldap://127.0.0.1/a}",
    "{{ 7 * 7 }}{% debug %}",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "../../../../etc/passwd",
    "..%2f..%2f",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "//evil.test/",
    "\r\nSet-Cookie: a=b",
    "null",
    "true",
    "undefined",
    "\\",
    "%",
    "(" * 40,
    "a" * 40 + "!",
    "<!channel> <@U1|x>",
    "ſﬀ İı",
)
_NUMBERS = (
    "0",
    "1",
    "-1",
    "+1",
    "00012",
    "1000",
    "1001",
    "5001",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "9" * 30,
    "9" * 4_400,
    "1e3",
    "1e400",
    "-1e400",
    "1.5",
    "NaN",
    "Infinity",
    "-0",
    "0x10",
    "1_000",
    " 5 ",
    "١٢",
    "１２",
    "²",
)
_TIMES = (
    "2026-01-22T04:00:00.123456Z",
    "2026-01-22T04:00:00Z",
    "2026-01-22T04:00:00+14:00",
    "2026-01-22T04:00:00-23:59",
    "2026-01-22T04:00:00+99:99",
    "2026-01-22 04:00",
    "2026-01-22",
    "2026-W04-4",
    "20260122T040000Z",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-22T24:00:00Z",
    "2026-01-22T23:59:60Z",
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999999Z",
    "2199-12-31T23:59:59.999999Z",
    "2200-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "-0044-03-15T00:00:00Z",
    "２０２６-01-22T04:00:00Z",
    "2026-01-22T04:00:00.1234567890123Z",
    "2026-01-22T04:00:00,5Z",
    "1769054400",
    "1769054400000",
    "yesterday",
)
_UUIDS = (
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "{00000000-0000-0000-0000-000000000007}",
    "urn:uuid:00000000-0000-0000-0000-000000000007",
    "00000000000000000000000000000007",
    "00000000-0000-0000-0000-00000000000",
    "evt_1731052800000_a1b2c3",
    "０0000000-0000-0000-0000-000000000007",
)
#: JSON as it is spelled, since much of it no library would write.
_JSON_TOKENS = (
    "null",
    "true",
    "false",
    "NaN",
    "-Infinity",
    "1e400",
    "-0.0",
    "1E-999",
    "01",
    "1.",
    ".5",
    "9" * 25,
    "9223372036854775808",
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    '"\x01"',
    '"\\x41"',
    '"\\"',
    '"',
    "'a'",
    "{}",
    "[]",
    "[[]]",
    '{"":{}}',
    '{"a":1,"a":2}',
    '{"a":1,}',
    "[1,]",
    "[,1]",
    "{a:1}",
    '{"__proto__":{}}',
    "// comment\n1",
    "undefined",
    "",
)
_INSERTED = (
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'"',
    b"\\",
    b"\n",
    b"\r",
    b"\xed\xa0\x80",
    b"[",
    b"}",
    b",",
    b"\xc0\x80",
)


def string(rng: Random) -> str:
    """A string that something may choke on, or a few random characters."""
    if rng.random() < 0.7:
        return rng.choice(_STRINGS)
    return "".join(
        chr(rng.choice((rng.randrange(0x20, 0x7F), rng.randrange(0x3000)))) for _ in range(rng.randrange(12))
    )


def number(rng: Random) -> str:
    """How a number, or something like one, may be spelled."""
    return rng.choice(_NUMBERS) if rng.random() < 0.7 else str(rng.randrange(-3, 3_000))


def moment(rng: Random) -> str:
    """How a time, or something like one, may be spelled."""
    if rng.random() < 0.6:
        return rng.choice(_TIMES)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        seconds=rng.randrange(7_258_118_400), microseconds=rng.randrange(10**6)
    )
    return at.isoformat()


def identifier(rng: Random) -> str:
    """How a UUID, or something like one, may be spelled."""
    return rng.choice(_UUIDS) if rng.random() < 0.5 else str(uuid.UUID(int=rng.getrandbits(128)))


def anything(rng: Random) -> str:
    """A value of any of the kinds."""
    return rng.choice((string, number, moment, identifier))(rng)


def encoded(rng: Random, text: str) -> str:
    """``text`` in a URL: percent-encoded, or with what a sloppy client leaves as it is."""
    if rng.random() < 0.05:
        return rng.choice(("%", "%zz", "%f", "%ff", "%00", "%ED%A0%80", "a%0d%0ab", "+", "%2500"))
    safe = rng.choice(("", "/:@!$'()*,;[]{}|"))
    return quote(text, safe=safe, errors="surrogatepass")


def json_text(rng: Random, depth: int = 0) -> str:
    """The text of a JSON value, or of something like one."""
    kind = rng.random()
    if depth < 4 and kind < 0.15:
        return f"[{','.join(json_text(rng, depth + 1) for _ in range(rng.randrange(4)))}]"
    if depth < 4 and kind < 0.3:
        members = (f"{json_string(rng)}:{json_text(rng, depth + 1)}" for _ in range(rng.randrange(4)))
        return f"{{{','.join(members)}}}"
    if kind < 0.5:
        return rng.choice(_JSON_TOKENS)
    if kind < 0.55:
        return deep(rng)
    return json_string(rng)


def json_string(rng: Random) -> str:
    """A value of any kind as a JSON string, escaped or not."""
    return json.dumps(anything(rng), ensure_ascii=rng.random() < 0.7)


def deep(rng: Random) -> str:
    """Something nested, to the allowed depth, past it, or past what a parser can take."""
    levels = rng.choice((30, 31, 32, 33, 100, 1_000, 3_000, 20_000))
    opened, closed = rng.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
    return opened * levels + "1" + closed * (levels if rng.random() < 0.7 else rng.randrange(levels))


def to_bytes(rng: Random, text: str) -> bytes:
    """``text`` in UTF-8, or now and then in another encoding."""
    if rng.random() < 0.9:
        return text.encode("utf-8", "surrogatepass")
    return text.encode(rng.choice(("utf-16", "utf-16-be", "utf-32", "utf-8-sig", "utf-7", "cp037")), "replace")


def damaged(rng: Random, content: bytes) -> bytes:
    """``content`` with one small damage: cut off, a part gone or doubled, a byte changed, or some put in."""
    if not content:
        return rng.choice(_INSERTED)
    start, kind = rng.randrange(len(content)), rng.randrange(5)
    end = min(len(content), start + rng.randrange(1, 40))
    if kind == 0:
        return content[:start]
    if kind == 1:
        return content[:start] + content[end:]
    if kind == 2:
        return content[:end] + content[start:]
    if kind == 3:
        return content[:start] + bytes([rng.randrange(256)]) + content[start + 1 :]
    return content[:start] + rng.choice(_INSERTED) + content[start:]
