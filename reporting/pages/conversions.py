"""Conversions by experiment and variant, live or pinned to a slice."""

from typing import Any

from django.http import HttpRequest


def section(request: HttpRequest) -> dict[str, Any]:
    """The section's context."""
    return {}
