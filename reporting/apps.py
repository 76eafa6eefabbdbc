"""The reporting application: feeds, exports, statuses and operator pages."""

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "reporting"
    verbose_name = "Reporting"

    def ready(self) -> None:
        from reporting.alerts import checks as alert_checks  # noqa: F401
        from reporting.feeds import checks as feed_checks  # noqa: F401
