"""Applications of others that load their pages as every process starts; here, when a page or a check needs them."""

from typing import Any

from allauth.socialaccount.apps import SocialAccountConfig as AllAuthConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class AdminConfig(SimpleAdminConfig):
    """Finds what the applications register when the URLs are imported, and not at the start of every process."""

    def ready(self) -> None:
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check_admin, checks.Tags.admin)


class SocialAccountConfig(AllAuthConfig):
    """Sign-in at a provider, whose registry is filled with the URLs."""

    def ready(self) -> None:
        from allauth.socialaccount import checks  # noqa: F401


def _check_admin(**options: Any) -> list[checks.CheckMessage]:
    """Django's own check, which looks at what is registered by then, in whatever order the checks run."""
    admin.autodiscover()
    return check_admin_app(**options)
