"""The quick-order funnel: what the storefront saw, and what the export holds."""

from typing import Any

from django.http import HttpRequest


def section(request: HttpRequest) -> dict[str, Any]:
    """The section's context."""
    return {}
