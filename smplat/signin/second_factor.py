"""The second factor: codes of an authenticator app, which are guessed as little as passwords are."""

from collections.abc import Callable
from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import MiddlewareNotUsed, ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from unfold.widgets import BASE_INPUT_CLASSES

from smplat.browsers import carries_key
from smplat.signin.views import FOLDER

_WRONG_CODE = "That code isn't right. Enter the one that the app shows now."
_OPEN_PATHS = (FOLDER, "/admin/login/", "/admin/logout/", "/admin/jsi18n/")


class CodeForm(AuthenticateForm):
    """Takes a code, which is counted as an attempt to sign in like a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _fit(self.fields["code"])

    def clean_code(self) -> str:
        """Return the code; raise ValidationError where it is wrong, or the account or the address has to wait."""
        request, credentials = context.request, {"username": self.user.get_username()}
        if not AxesProxyHandler.is_allowed(request, credentials):
            request.axes_locked_out = True
            raise ValidationError(request.refusal.text)
        try:
            return str(super().clean_code())
        except ValidationError as error:
            user_login_failed.send(__name__, credentials=credentials, request=request)
            raise ValidationError(request.refusal.text if request.refusal else _WRONG_CODE) from error


class SetUpForm(ActivateTOTPForm):
    """Takes the first code of an authenticator app."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _fit(self.fields["code"])


class SecondFactorMiddleware:
    """Where a second factor is required, has people set one up before anything else.

    To all that is no operator page they are strangers until then.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if settings.SECOND_FACTOR != "REQUIRED":
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        has_session = settings.SESSION_COOKIE_NAME in request.COOKIES and not carries_key(request)
        if has_session and _lacks_second_factor(request):
            if not request.path.startswith("/admin/"):
                request.user = AnonymousUser()
            elif not request.path.startswith(_OPEN_PATHS):
                return redirect("mfa_activate_totp")
        return self._get_response(request)


def _lacks_second_factor(request: HttpRequest) -> bool:
    user: Any = request.user
    return user.is_authenticated and not Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists()


def _fit(code: Any) -> None:
    """Give a field for codes the look of the theme, and digits where a keyboard is on the screen."""
    code.label = "Code"
    code.widget.attrs = {
        "class": " ".join(BASE_INPUT_CLASSES),
        "autocomplete": "one-time-code",
        "autofocus": "",
        "inputmode": "numeric",
    }
