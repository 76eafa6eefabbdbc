"""How django-allauth behaves here: staff alone, no sign-up, no e-mail, and secrets encrypted where they lie."""

import logging
import secrets
import time
from base64 import b32encode, urlsafe_b64encode
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.http import HttpRequest

from smplat.lib.clients import address

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made in the admin, and signed in by the sign-in page."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: Any) -> None:
        """Sign in, for as long as a session lasts; one that has just gone to a provider has minutes."""
        super().login(request, user)
        request.session.set_expiry(None)

    def get_login_stages(self) -> list[str]:
        """What follows a password or a provider."""
        return [] if settings.SECOND_FACTOR == "OFF" else ["allauth.mfa.stages.AuthenticateStage"]

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether this session's sign-in is longer ago than the minutes in which a second factor may be changed."""
        records = get_authentication_records(context.request, context.request.user)
        return not records or time.time() - records[-1]["at"] > app_settings.REAUTHENTICATION_TIMEOUT

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """None but the sign-in page, which is the one door that is guarded."""
        return []

    def get_client_ip(self, request: HttpRequest) -> str:
        return address(request)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Encrypts the secrets of authenticator apps and recovery codes by a key that SECRET_KEY gives."""

    def get_totp_label(self, user: Any) -> str:
        return str(user.get_username())

    def encrypt(self, text: str) -> str:
        return _cipher().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret; where SECRET_KEY is another one by now, a secret that no code fits."""
        try:
            return _cipher().decrypt(encrypted_text).decode()
        except InvalidToken:
            logger.error("A second factor cannot be read, SECRET_KEY has changed; it has to be set up anew")  # noqa: TRY400
            return b32encode(secrets.token_bytes(20)).decode()


def _cipher() -> Fernet:
    key = HKDF(SHA256(), 32, salt=None, info=b"second factors").derive(settings.SECRET_KEY.encode())
    return Fernet(urlsafe_b64encode(key))
