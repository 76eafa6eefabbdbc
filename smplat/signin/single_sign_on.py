"""Sign-in at the provider: for accounts that are there already, found once by their verified e-mail address."""

import logging
from contextlib import suppress
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError
from requests import RequestException

from smplat.lib import minutes
from smplat.lib.clients import address
from smplat.signin.provider import Adapter, Provider, Session

logger = logging.getLogger(__name__)
#: How often an address may go to the provider in a minute of the clock.
MAX_STARTS = 30
# As long as allauth remembers that someone has gone to the provider.
_START_SECONDS = 600
# What answers that are none lead to, besides the errors that allauth has for them.
_NONSENSE = (AttributeError, KeyError, TypeError, ValueError, RedisError)
_AWAY = "Single sign-on isn't available right now. Try again in a minute, or sign in with your password."
_FAILED = "You weren't signed in. Start again from the sign-in page."
_UNKNOWN = (
    "There is no account for you here. It takes a staff account with the e-mail address that your provider has "
    "verified. Ask whoever manages the accounts."
)


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """Lets in the accounts that are there, and makes none."""

    def get_provider(self, request: HttpRequest, provider: str, client_id: str | None = None) -> Provider:
        return Provider(request)

    def get_requests_session(self) -> Session:
        return Session()

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find the account of someone who comes for the first time; raise ImmediateHttpResponse for all but staff."""
        if not sociallogin.is_existing and (user := _account_of(sociallogin)):
            sociallogin.connect(request, user)
        user = sociallogin.user
        if not (sociallogin.is_existing and user.is_active and user.is_staff):
            logger.warning("Single sign-on was refused to %s: no staff account", address(request))
            raise ImmediateHttpResponse(_page(request, _UNKNOWN, 403))

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Say that it failed, and no more: an error of the provider may hold a secret."""
        raise ImmediateHttpResponse(_failure(request, exception))


@never_cache
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Lead to the provider; the address to go to in the end is one of this site."""
    if _starts_too_often(request):
        return _page(request, "Too many sign-ins. Try again in a minute.", 429)
    request.session.set_expiry(_START_SECONDS)
    try:
        return Provider(request).redirect(request, AuthProcess.LOGIN, next_url=_next(request))  # type: ignore[no-any-return]
    except (OAuth2Error, RequestException, *_NONSENSE) as error:
        logger.warning("The provider of single sign-on cannot be used (%s)", type(error).__name__)
        return _page(request, _AWAY, 503)


@never_cache
@require_safe
def finish(request: HttpRequest) -> HttpResponse:
    """Take what the provider has sent someone back with."""
    try:
        adapter = Adapter(request, Provider(request).sub_id)
        return OAuth2CallbackView.adapter_view(adapter)(request)  # type: ignore[no-any-return]
    except _NONSENSE as error:
        return _failure(request, error)


def _account_of(sociallogin: SocialLogin) -> Any:
    """The only staff account with the address that the provider has verified, unless it is another person's already."""
    email = next((one.email for one in sociallogin.email_addresses if one.verified), "")
    found = get_user_model().objects.filter(email__iexact=email, is_active=True, is_staff=True) if email else []
    # The database takes some letters for others.
    users = [user for user in found if user.email.casefold() == email.casefold()]
    if len(users) != 1 or SocialAccount.objects.filter(user=users[0], provider=sociallogin.account.provider).exists():
        return None
    return users[0]


def _starts_too_often(request: HttpRequest) -> bool:
    with suppress(minutes.UnreachableError):
        return minutes.count(f"single-sign-on:{address(request)}") > MAX_STARTS
    return False


def _next(request: HttpRequest) -> str | None:
    given = request.GET.get("next", "")
    is_here = url_has_allowed_host_and_scheme(given, {request.get_host()}, require_https=request.is_secure())
    return given if is_here else None


def _failure(request: HttpRequest, error: Exception | None) -> HttpResponse:
    is_away = isinstance(error, RequestException)
    logger.warning("Single sign-on failed for %s (%s)", address(request), type(error).__name__)
    return _page(request, _AWAY, 503) if is_away else _page(request, _FAILED, 401)


def _page(request: HttpRequest, text: str, status: int) -> HttpResponse:
    return render(request, "signin/refusal.html", {"text": text}, status=status)
