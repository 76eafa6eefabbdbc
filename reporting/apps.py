"""The reporting application: feeds, exports, statuses and operator pages."""

from django.apps import AppConfig


class ReportingConfig(AppConfig):
    name = "reporting"
    verbose_name = "Reporting"

    def ready(self) -> None:
        from reporting.feeds import checks  # noqa: F401
