"""Who may call the API: holders of the API key, and signed-in operators."""

import secrets
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from smplat.lib import wrong_keys

if TYPE_CHECKING:
    # REST framework's settings name this module, so it loads before the views do.
    from rest_framework.views import APIView


class ApiKeyHolder:
    """The user of a request that carried a valid key: a machine, without a row in the user table."""

    is_authenticated = True
    is_active = True
    is_staff = False
    pk = None


class ApiKeyAuthentication(BaseAuthentication):
    """Reads ``X-API-Key`` and compares it in constant time with every configured key."""

    def authenticate(self, request: Request) -> tuple[Any, str] | None:
        """Return the key's holder, None without a key.

        Raises:
            AuthenticationFailed: the key is wrong.
            Throttled: the address has tried too many wrong ones, so that a right one is not looked at either.
        """
        given = request.headers.get("X-API-Key")
        if given is None:
            return None
        if (wait := wrong_keys.seconds_to_wait(request._request)) is not None:
            raise Throttled(wait, "Too many wrong keys came from this address.")
        matches = [secrets.compare_digest(given.encode(), key.encode()) for key in settings.CHECKOUT_API_KEYS]
        if not any(matches):
            wrong_keys.count(request._request)
            raise AuthenticationFailed("X-API-Key is not valid.")
        return ApiKeyHolder(), "api-key"

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, which makes the answer to a stranger a 401."""
        return "ApiKey"


class Closed(BasePermission):
    """Lets nobody in: a view that names no permission of its own stays closed."""

    message = "This endpoint is closed."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return False


class KeyOrOperator(BasePermission):
    """Lets in holders of the key, and staff who hold the permission that the view names in ``required_permission``."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Return whether the key or the operator's permission is there."""
        return isinstance(request.user, ApiKeyHolder) or _operator_may(request, view)


class Operator(BasePermission):
    """Lets in staff who hold the permission that the view names in ``required_permission``."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return _operator_may(request, view)


def _operator_may(request: Request, view: "APIView") -> bool:
    user = request.user
    if not (user and user.is_authenticated and user.is_staff):
        return False
    permission: str = view.required_permission  # type: ignore[attr-defined]
    return bool(user.has_perm(permission))
