"""The telemetry application: capture and store."""

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    """Storefront telemetry."""

    name = "telemetry"
    verbose_name = "Telemetry"

    def ready(self) -> None:
        """Register the system checks."""
        from telemetry import checks  # noqa: F401
