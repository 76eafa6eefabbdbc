"""The grammars reach every URL, and each request is made again from its seed."""

from collections.abc import Iterator
from random import Random
from urllib.parse import unquote

import pytest
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve

from tests.fuzz import grammar_api, grammar_pages
from tests.fuzz.parts import Known
from tests.fuzz.running import made

KNOWN = Known(
    keys={"quick_order": ["00000000-0000-0000-0000-000000000001"]},
    orders=["00000000-0000-0000-0000-000000000002"],
    cursors=["2026-01-22T04:00:00Z"],
    runs=["00000000-0000-0000-0000-000000000003"],
    manifests=["/lake/a.manifest.json"],
    tokens=["token"],
    providers=["provider"],
)
REQUESTS_OF_EACH = 1_500


@pytest.fixture(scope="module")
def reached() -> set[str]:
    """The routes of the URLs that many requests resolve to."""
    makers = [*(maker for _, maker in grammar_api.MAKERS), *(maker for _, maker in grammar_pages.MAKERS)]
    paths = {maker(Random(str(number)), KNOWN).path for maker in makers for number in range(REQUESTS_OF_EACH)}
    return {route for route in map(_route, paths) if route is not None}


def _route(path: str) -> str | None:
    try:
        return resolve(unquote(path, errors="replace")).route
    except Resolver404:
        return None


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route


def test_every_url_is_fuzzed(reached):
    assert set(routes(get_resolver().url_patterns)) - reached == set()


def test_a_request_is_made_again_from_its_seed_and_number():
    assert [made(7, number, KNOWN) for number in range(300)] == [made(7, number, KNOWN) for number in range(300)]
    assert made(7, 1, KNOWN) != made(8, 1, KNOWN)
