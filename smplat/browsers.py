"""Middleware that only browsers need; requests to the API that carry a key pass it by.

Who sends a key is known by it, or refused: no view looks for a session, a user or messages beside it.
"""

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin

from smplat.caching import depends_on_key


def carries_key(request: HttpRequest) -> bool:
    """Whether the request asks the API with a key, be it a right one or a wrong one."""
    return "HTTP_X_API_KEY" in request.META and depends_on_key(request.path)


class _ForBrowsers(MiddlewareMixin):
    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response if carries_key(request) else super().__call__
        return answer(request)  # type: ignore[return-value]


class Sessions(_ForBrowsers, SessionMiddleware):
    """Loads and saves the session."""


class Users(_ForBrowsers, AuthenticationMiddleware):
    """Finds the operator of the session."""


class Messages(_ForBrowsers, MessageMiddleware):
    """Keeps messages from one page to the next."""
