"""Django's admin as an application that costs nothing before a page or a check needs it."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app
from django.core import checks


class AdminConfig(SimpleAdminConfig):
    """Finds what the applications register when the URLs are imported, and not at the start of every process."""

    def ready(self) -> None:
        super().ready()
        checks.register(_check_admin, checks.Tags.admin)


def _check_admin(**options: Any) -> list[checks.CheckMessage]:
    """Django's own check, which looks at what is registered by then, in whatever order the checks run."""
    admin.autodiscover()
    return check_admin_app(**options)
