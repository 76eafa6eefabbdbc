"""What operators do in the guardrail workflow."""

from typing import Any

from django.http import HttpRequest


def section(request: HttpRequest) -> dict[str, Any]:
    """The section's context."""
    return {}
