"""The reporting application: feeds, exports, statuses and operator pages."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ReportingConfig(AppConfig):
    name = "reporting"
    verbose_name = "Reporting"

    def ready(self) -> None:
        from reporting.alerts import checks as alert_checks  # noqa: F401
        from reporting.feeds import checks as feed_checks  # noqa: F401

        post_migrate.connect(_ship_roles, sender=self)


def _ship_roles(**options: Any) -> None:
    """Set the groups of the roles, once the permissions of all applications are there."""
    from smplat.lib.roles import ship

    ship(**options)
