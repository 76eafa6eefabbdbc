"""Guardrail follow-ups: the queue, a provider's timeline, and the form that records one."""

from typing import Any

from django.http import HttpRequest


def section(request: HttpRequest) -> dict[str, Any]:
    """The section's context."""
    return {}
