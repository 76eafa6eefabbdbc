"""What caches between the desk and its clients may do with answers of the API."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

#: The description of the API is the same for everyone.
_PUBLIC = ("/api/schema/", "/api/docs/")


def depends_on_key(path: str) -> bool:
    """Whether what a path answers depends on a key or a session."""
    return path.startswith("/api/") and not path.startswith(_PUBLIC)


class KeyedReadsMiddleware:
    """Keeps answers that depend on a key or a session out of every cache."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if depends_on_key(request.path):
            response.headers.setdefault("Cache-Control", "no-store")
            patch_vary_headers(response, ["X-API-Key"])
        return response
