"""The URLs of a sign-in that a password is not enough for; there are none of them where it is."""

from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as totp
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache

from smplat.signin import single_sign_on
from smplat.signin.views import SignInView

_VIEWS = [
    ("admin/account/second-factor/", mfa.index, "mfa_index"),
    ("admin/account/second-factor/code/", mfa.authenticate, "mfa_authenticate"),
    ("admin/account/second-factor/set-up/", totp.activate_totp, "mfa_activate_totp"),
    ("admin/account/second-factor/remove/", totp.deactivate_totp, "mfa_deactivate_totp"),
    ("admin/account/recovery-codes/", codes.view_recovery_codes, "mfa_view_recovery_codes"),
    ("admin/account/recovery-codes/new/", codes.generate_recovery_codes, "mfa_generate_recovery_codes"),
]
# All of these show or take secrets.
_SECOND_FACTOR = [path(route, never_cache(view), name=name) for route, view, name in _VIEWS]


_SINGLE_SIGN_ON = [
    path("admin/account/single-sign-on/", single_sign_on.start, name="openid_connect_login"),
    path("admin/account/single-sign-on/callback/", single_sign_on.finish, name="openid_connect_callback"),
]


def patterns(has_second_factor: bool, has_single_sign_on: bool) -> list[URLPattern]:
    """What goes ahead of the admin's own URLs, whose sign-in page the first one takes the place of."""
    found = (_SECOND_FACTOR if has_second_factor else []) + (_SINGLE_SIGN_ON if has_single_sign_on else [])
    return [path("admin/login/", SignInView.as_view(), name="account_login"), *found] if found else []
