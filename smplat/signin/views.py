"""The page on which people sign in where a password is not all there is to it."""

from typing import Any

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import logout
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.utils.http import urlencode

from smplat.signin.answers import SignInForm
from smplat.signin.counting import take_back
from smplat.signin.handler import client_address

FOLDER = "/admin/account/"


class SignInView(LoginView):
    """The admin's sign-in page, at whose end the second factor is asked for.

    Who is signed in may do so again, which confirms that it is still them.
    """

    authentication_form = SignInForm
    template_name = "admin/login.html"
    next_page = "admin:index"

    def form_valid(self, form: Any) -> HttpResponse:
        """Go on with what has to follow the password; the address to go to in the end is one of this site."""
        user = form.get_user()
        take_back(user.get_username(), client_address(self.request))
        logout(self.request)
        login = Login(user=user, redirect_url=self.get_success_url())
        answer: HttpResponse = perform_password_login(self.request, {"username": user.get_username()}, login)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the admin gives its sign-in page, and the way to the provider where there is one."""
        query = urlencode({self.redirect_field_name: self.get_redirect_url()})
        return super().get_context_data(
            **admin.site.each_context(self.request),
            title="Log in",
            app_path=self.request.get_full_path(),
            single_sign_on_url=f"{FOLDER}single-sign-on/?{query}" if settings.OIDC_ISSUER_URL else None,
            **kwargs,
        )


def theme(request: HttpRequest) -> dict[str, Any]:
    """A context processor: what the theme needs on the pages of the account."""
    return admin.site.each_context(request) if request.path.startswith(FOLDER) else {}
