"""The routes of the desk, as tests walk them."""

from collections.abc import Iterator

from django.urls import URLPattern
from django.urls.resolvers import URLResolver


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    """The routes of all URLs; those of the admin that only answer what no other takes are left out."""
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            if "(?P<" not in route:
                yield route
        else:
            yield from routes(pattern, route)


def filled_in(route: str, **values: str) -> str:
    """The path of a route, with a value for each of its parameters."""
    return "/" + "/".join(
        values[part.strip("<>").split(":")[-1]] if part.startswith("<") else part for part in route.split("/")
    )
