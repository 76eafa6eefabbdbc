"""Cuts a failing request down to what still fails."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.fuzz.requests import Request

Fails = Callable[[Request], bool]
#: So often a request is sent again to cut it down.
MAX_ATTEMPTS = 300


def smallest(request: Request, fails: Fails) -> Request:
    """The smallest request that was found to fail like ``request``.

    Args:
        request: one that fails.
        fails: sends a request, and says whether it fails in the same way.
    """
    attempts = iter(range(MAX_ATTEMPTS))

    def still_fails(candidate: Request) -> bool:
        return next(attempts, None) is not None and fails(candidate)

    for name in ("query", "headers", "body"):
        request = _cut(request, name, still_fails)
    if request.is_chunked and still_fails(plain := replace(request, is_chunked=False)):
        request = plain
    if request.planted is None:
        return request
    content = _shortest(request.planted.content, lambda part: still_fails(request.with_planted(bytes(part))))
    return request.with_planted(bytes(content))


def _cut(request: Request, name: str, fails: Fails) -> Request:
    def with_part(part: Sequence) -> Request:
        changes: Any = {name: part}
        return replace(request, **changes)

    return with_part(_shortest(getattr(request, name), lambda part: fails(with_part(part))))


def _shortest(whole: Sequence, fails: Callable[[Sequence], bool]) -> Sequence:
    """Leave out halves, then quarters and so on, as long as that fails (after Zeller's delta debugging)."""
    size = len(whole)
    while size:
        start = 0
        while start < len(whole):
            part = whole[:start] + whole[start + size :]  # type: ignore[operator]
            if fails(part):
                whole = part
            else:
                start += size
        size //= 2
    return whole
