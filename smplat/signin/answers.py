"""What the sign-in page says to those who are refused."""

import math
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from unfold.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    """The theme's form, which tells those who have to wait that they have to."""

    def confirm_login_allowed(self, user: AbstractBaseUser) -> None:
        """Let staff in; for others a right password is a failure like a wrong one, and raises the same error."""
        try:
            super().confirm_login_allowed(user)
        except ValidationError:
            credentials = {"username": user.get_username()}
            user_login_failed.send(__name__, credentials=credentials, request=self.request)
            raise self.get_invalid_login_error() from None

    def get_invalid_login_error(self) -> ValidationError:
        """The error of an attempt that failed or was refused, the same whether the account exists or not."""
        refusal = getattr(self.request, "refusal", None)
        return ValidationError(refusal.text, code="refused") if refusal else super().get_invalid_login_error()


def refused(request: Any, page: HttpResponse, credentials: Any) -> HttpResponse:
    """Give the sign-in page, which says why, the status of a refusal and the time to wait."""
    page.status_code = request.refusal.status
    page.headers["Retry-After"] = str(math.ceil(request.refusal.wait.total_seconds()))
    return page
