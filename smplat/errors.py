"""Answers to requests that fail before or outside of a view: JSON for the API, a plain page for people."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

_TEXTS = {
    400: ("Bad request", "The request could not be read."),
    403: ("Not allowed", "Your account lacks the permission for this. Ask whoever manages the accounts."),
    404: ("Not found", "There is nothing at this address."),
    500: ("Something broke", "The error is in the server's log. Nothing that was confirmed is lost."),
}


def _answer(request: HttpRequest, status: int) -> HttpResponse:
    title, text = _TEXTS[status]
    if request.path.startswith(("/api/", "/lake/")):
        return JsonResponse({"detail": text}, status=status)
    return render(request, "error.html", {"title": title, "text": text}, status=status)


def bad_request(request: HttpRequest, exception: Any) -> HttpResponse:
    """Answer 400."""
    return _answer(request, 400)


def forbidden(request: HttpRequest, exception: Any) -> HttpResponse:
    """Answer 403."""
    return _answer(request, 403)


def not_found(request: HttpRequest, exception: Any) -> HttpResponse:
    """Answer 404."""
    return _answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500."""
    return _answer(request, 500)
