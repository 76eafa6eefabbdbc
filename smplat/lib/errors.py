"""Answers to requests that fail before or outside of a view: JSON for the API, a plain page for people."""

import logging
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import exception_handler

from smplat.lib.error_bodies import error_body

logger = logging.getLogger(__name__)
_TEXTS = {
    400: ("Bad request", "The request could not be read."),
    403: ("Not allowed", "Your account lacks the permission for this. Ask whoever manages the accounts."),
    404: ("Not found", "There is nothing at this address."),
    500: ("Something broke", "The error is in the server's log. Nothing that was confirmed is lost."),
}


class DatabaseAwayError(APIException):
    """The database cannot be reached; the request may be repeated."""

    status_code = 503
    default_detail = "The database cannot be reached at the moment. Nothing was stored; please try again."
    wait = 5


class DiskFullError(DatabaseAwayError):
    """The database has no room left; the request may be repeated once there is some."""

    default_detail = "The disk of the database is full. Nothing was stored; free some space, and try again."


def api_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an error of an API view as REST framework does, and a database that is away or full with a 503."""
    if isinstance(error, OperationalError | InterfaceError):
        error = database_error(error)
    response = exception_handler(error, context)
    if response is not None:
        response.data = error_body(context["request"].path, response.data)
    return response


def database_error(error: Exception) -> DatabaseAwayError:
    """Log that the database is away or full, and return what to answer a client."""
    kind = DiskFullError if is_disk_full(error) else DatabaseAwayError
    logger.error("%s (%s)", kind.default_detail.partition(".")[0], type(error).__name__)
    return kind()


def is_disk_full(error: Exception) -> bool:
    """Whether the database failed since its disk is full (SQLSTATE 53100), and not since it is away."""
    return isinstance(error.__cause__, psycopg.errors.DiskFull)


def _answer(request: HttpRequest, status: int, explanation: str = "") -> HttpResponse:
    title, usual = _TEXTS[status]
    text = explanation or usual
    if request.path.startswith(("/api/", "/lake/")):
        return JsonResponse(error_body(request.path, {"detail": text}), status=status)
    context = {"title": title, "text": text, "is_refusal": status == 403}
    return render(request, "error.html", context, status=status)


def bad_request(request: HttpRequest, exception: Any) -> HttpResponse:
    return _answer(request, 400)


def forbidden(request: HttpRequest, exception: Any) -> HttpResponse:
    return _answer(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuse a POST without the token of a form of ours, in place of Django's own page."""
    return _answer(request, 403, "This form has expired, or another site sent it. Please load the page again.")


def not_found(request: HttpRequest, exception: Any) -> HttpResponse:
    return _answer(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _answer(request, 500)


class TooLargeError(APIException):
    """The body has too many bytes or events."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


class ConflictError(APIException):
    """The request contradicts an earlier one."""

    status_code = status.HTTP_409_CONFLICT
