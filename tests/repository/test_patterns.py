"""Every regular expression of the source, each with the input on which it does the most work."""

import ast
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reporting.recording.requests import HTTP_URL, RELATIVE_URL
from tests import ROOT

SIZE = 65_536
#: Four times the input may take so many times as long; a pattern that backtracks takes 16 times.
MAX_GROWTH = 8.0
UUIDS = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
#: Patterns that stand under a name.
NAMED = {"HTTP_URL": repr(HTTP_URL), "RELATIVE_URL": repr(RELATIVE_URL)}
#: Pattern, the function that the source calls, and the worst input of about so many characters.
WORST: dict[str, tuple[str, Callable[[int], str | bytes]]] = {
    r"""r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]'""": ("finditer", lambda n: '"' + '\\"' * (n // 2)),
    repr(HTTP_URL): ("match", lambda n: "http://" + "a" * n + " "),
    repr(RELATIVE_URL): ("match", lambda n: "a" * (n // 2) + "/" * (n // 2) + " "),
    repr(UUIDS): ("fullmatch", lambda n: "0" * n),
    repr("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"): ("fullmatch", lambda n: "0" * n),
    repr(r"(?:19[7-9]|2[01][0-9])[0-9]-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"): (
        "fullmatch",
        lambda n: "2026-01-22T04:00:00." + "0" * n,
    ),
    repr(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})"): (
        "fullmatch",
        lambda n: "2026-01-22T" + ":" * n,
    ),
    repr(
        r"(?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2}))"
        r"(~(?P<tie>[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}))?"
    ): ("fullmatch", lambda n: "2026-01-22T04:00:00Z~" + "0" * n),
    repr("([0-9]{1,9})"): ("fullmatch", lambda n: "1" * n),
    repr(r"\s*([0-9]{1,9})[0-9]*\s*"): ("fullmatch", lambda n: " " * n + "1" * n + " " * n + "x"),
    repr("(?=[A-Z])"): ("sub", lambda n: "A" * n),
    repr("[/?&=:@#]"): ("split", lambda n: "/" * n),
    repr("[0-9]{1,9}"): ("fullmatch", lambda n: "1" * n),
    repr("[A-Za-z0-9_-]{1,128}"): ("fullmatch", lambda n: "a" * n),
    repr("https?://"): ("match", lambda n: "http" * n),
    repr("[0-9]{1,18}"): ("fullmatch", lambda n: "1" * n),
    repr("/admin/(reports|onboarding)(/|$)"): ("match", lambda n: "/admin/reports" * n),
    repr("-?[0-9]{1,18}"): ("fullmatch", lambda n: "-" + "1" * n),
    repr(r"[a-z][a-z0-9+.-]{0,31}://\S+"): ("fullmatch", lambda n: "a" * 32 + "://" + "a" * n + " "),
    repr("[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"): ("fullmatch", lambda n: "a" * n),
    repr("[A-Za-z0-9/._-]+"): ("fullmatch", lambda n: "a" * n + " "),
    repr("(application/(json|x-ndjson)|text/(csv|html|plain))$"): ("match", lambda n: "application/json" * n),
    repr(rb"\\.|[\x00-\x07\x0e-\x1f]"): ("findall", lambda n: b"x" * n + b"\\" * 2),
    # Our own templates alone, with two elements at most.
    repr("<style[^>]*>(.*?)</style>"): ("findall", lambda n: "<style>" + "<" * n),
}


def source_patterns() -> Iterator[tuple[str, str]]:
    """Every pattern of the source, as Python writes it, and where it stands."""
    for path in (path for app in ("reporting", "smplat", "telemetry") for path in (ROOT / app).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                is_pattern = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
                if is_pattern and isinstance(node.args[0], ast.Constant):
                    yield repr(node.args[0].value), path.name
                elif is_pattern:
                    yield NAMED.get(ast.unparse(node.args[0]), "unknown"), path.name


def seconds(pattern: Any, function: str, text: Any) -> float:
    """The least of three measurements."""
    compiled, measured = re.compile(pattern, re.DOTALL), []
    for _ in range(3):
        began = time.process_time()
        found = compiled.sub("_", text) if function == "sub" else getattr(compiled, function)(text)
        if function == "finditer":
            found = list(found)
        measured.append(time.process_time() - began)
    return min(measured)


def test_every_pattern_is_listed_here():
    found = {pattern for pattern, _ in source_patterns()} | {*NAMED.values()}
    listed = {repr(ast.literal_eval(pattern)) for pattern in WORST}

    assert sorted(found - listed) == []
    assert sorted(listed - found) == []


@pytest.mark.parametrize(("pattern", "worst"), WORST.items(), ids=WORST)
def test_its_time_is_that_of_its_input(pattern, worst):
    function, text = worst
    pattern = ast.literal_eval(pattern)

    # What takes less than a millisecond is the clock's noise.
    first = max(seconds(pattern, function, text(SIZE)), 0.001)

    assert seconds(pattern, function, text(4 * SIZE)) < MAX_GROWTH * first
