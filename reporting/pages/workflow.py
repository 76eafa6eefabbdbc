"""What operators do in the guardrail workflow: live, and as the export's status says."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from reporting.api.windows import workflow_activity
from reporting.feeds import FEEDS

_WINDOW = FEEDS["guardrail_workflow"].window or 0


def section(request: HttpRequest) -> dict[str, Any]:
    """The activity over the live window, by one query."""
    activity = workflow_activity(_WINDOW)
    providers = [{**row, "query": urlencode({"providerId": row["providerId"]})} for row in activity.provider_activity()]
    return {
        "workflow": {
            "total": activity.total,
            "window": _WINDOW,
            "last_at": activity.last_captured_at,
            **activity.metrics(),
            "providerActivity": providers,
        }
    }
