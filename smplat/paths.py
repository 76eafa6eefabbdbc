"""Paths that no view has to think about."""

from collections.abc import Callable

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse

GetResponse = Callable[[HttpRequest], HttpResponse]


def nul_refused(get_response: GetResponse) -> GetResponse:
    """Middleware that answers an admin path with a NUL character, which PostgreSQL takes in no text, with a 400."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith("/admin/") and "\0" in request.path_info:
            raise SuspiciousOperation("The path holds a NUL character.")
        return get_response(request)

    return answer
