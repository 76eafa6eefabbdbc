"""The OpenID Connect provider: what it is asked, and what of its answers is believed.

Codes come with PKCE and a nonce, and the ID token's signature is checked though it came by TLS. See OpenID Connect
Core 1.0, sections 3.1.2 and 3.1.3.
"""

import time
from hashlib import sha256
from http import HTTPStatus
from io import BytesIO
from threading import BoundedSemaphore
from typing import Any, Self

import httpx
import requests
from allauth.account.models import EmailAddress
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialApp, SocialToken
from allauth.socialaccount.providers.oauth2.client import OAuth2Client, OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from smplat.lib import outgoing

#: For each request to the provider.
TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 1_048_576
# Anyone can have the provider asked, and it may hang: most of the web server's 16 threads stay free.
_SLOTS = BoundedSemaphore(4)
_DOCUMENT_SECONDS = 600
_documents: dict[str, tuple[float, dict[str, Any]]] = {}


class Session:
    """Asks the provider in place of a session of requests, with a deadline for the whole of each answer."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is kept open."""

    def get(self, url: str, headers: dict[str, str] | None = None) -> requests.Response:
        """Ask for a document; raise as :meth:`request` does."""
        return self.request("GET", url, headers=headers)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        auth: requests.auth.HTTPBasicAuth | None = None,
    ) -> requests.Response:
        """Ask, and return the whole answer, whatever its status.

        Raises:
            requests.ConnectionError: it did not come in time, or too many others are waiting for one.
        """
        asked = requests.Request(method, url, dict(headers or {}), data=data, params=params, auth=auth).prepare()
        if not _SLOTS.acquire(blocking=False):
            raise requests.ConnectionError("too many sign-ins wait for the provider")
        try:
            answer = outgoing.ask(
                method,
                str(asked.url),
                content=str(asked.body or "").encode(),
                headers={name: str(value) for name, value in asked.headers.items()},
                timeout=TIMEOUT_SECONDS,
                max_bytes=_MAX_BYTES,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise requests.ConnectionError(type(error).__name__) from error
        finally:
            _SLOTS.release()
        return _response(answer)


def _response(answer: outgoing.Answer) -> requests.Response:
    if not answer.is_complete:
        raise requests.ConnectionError("the answer broke off")
    response = requests.Response()
    response.status_code = answer.status
    response.headers.update({"content-type": "", **answer.headers})
    response.raw = BytesIO(answer.body)
    return response


class _Client(OAuth2Client):
    def get_redirect_url(self, authorization_url: str, scope: list[str], extra_params: dict[str, str]) -> str:
        address: str = super().get_redirect_url(authorization_url, scope, {**extra_params, "nonce": _nonce(self.state)})
        return address


class Adapter(OpenIDConnectOAuth2Adapter):
    """Takes a code for tokens, and the tokens for a person."""

    client_class = _Client

    @property
    def openid_config(self) -> dict[str, Any]:
        """The provider's own description, at most ten minutes old."""
        url = self.get_provider().server_url
        until, document = _documents.get(url, (0.0, {}))
        if until < time.monotonic():
            document = _described(url)
            _documents[url] = time.monotonic() + _DOCUMENT_SECONDS, document
        return document

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """The address that the provider sends people back to, whatever host they have asked for."""
        return str(settings.PUBLIC_BASE_URL) + reverse("openid_connect_callback")

    def complete_login(self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any) -> Any:
        """The person whom the ID token names; their address may come from the user information.

        Raises:
            OAuth2Error: a token or the user information is not what it has to be.
        """
        claims = jwtkit.verify_and_decode(
            credential=kwargs["response"]["id_token"],
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
        )
        if not constant_time_compare(str(claims.get("nonce")), _nonce(request.GET["state"])):
            raise OAuth2Error("The nonce is not the one that was sent.")
        if "email" not in claims and "userinfo_endpoint" in self.openid_config:
            claims = {**self._user_information(token, claims["sub"]), **claims}
        return self.get_provider().sociallogin_from_response(request, claims)

    def _user_information(self, token: SocialToken, subject: str) -> dict[str, Any]:
        response = Session().get(self.openid_config["userinfo_endpoint"], {"Authorization": f"Bearer {token.token}"})
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        if found["sub"] != subject:
            raise OAuth2Error("The user information is about someone else.")
        return found


class Provider(OpenIDConnectProvider):
    """The provider that the settings name."""

    oauth2_adapter_class = Adapter

    def __init__(self, request: HttpRequest) -> None:
        issuer = settings.OIDC_ISSUER_URL
        app = SocialApp(
            provider=self.id,
            # A subject says nothing but together with its issuer.
            provider_id=sha256(issuer.encode()).hexdigest()[:16],
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={"server_url": issuer, "oauth_pkce_enabled": True},
        )
        super().__init__(request, app=app)

    def extract_extra_data(self, data: dict[str, Any]) -> dict[str, Any]:
        """Nothing: what the provider knows of people stays there."""
        return {}

    def extract_email_addresses(self, data: dict[str, Any]) -> list[EmailAddress]:
        """The address, if the provider has verified it."""
        is_verified = data.get("email_verified") in (True, "true")
        return [EmailAddress(email=data["email"], verified=True, primary=True)] if is_verified else []


def _described(url: str) -> dict[str, Any]:
    response = Session().get(url)
    response.raise_for_status()
    document: dict[str, Any] = response.json()
    if response.status_code != HTTPStatus.OK or document["issuer"].rstrip("/") != settings.OIDC_ISSUER_URL:
        raise OAuth2Error("The provider's description names another issuer.")
    return document


def _nonce(state: str) -> str:
    """The nonce of a state, which belongs to one session and counts once."""
    return salted_hmac("single-sign-on", state).hexdigest()
