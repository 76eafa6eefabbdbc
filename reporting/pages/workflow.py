"""What operators do in the guardrail workflow: live, and as the export's status says."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from reporting.feeds import FEEDS
from reporting.insights.workflow import workflow_activity

_WINDOW = FEEDS["guardrail_workflow"].window or 0


def section(request: HttpRequest) -> dict[str, Any]:
    """The activity over the live window, by one query."""
    activity = workflow_activity(_WINDOW)
    metrics = activity.metrics()
    return {
        "workflow": {
            "total": activity.total,
            "window": _WINDOW,
            "last_at": activity.last_captured_at and datetime.fromisoformat(activity.last_captured_at),
            "attachments": metrics["attachmentTotals"],
            "actions": [(row, datetime.fromisoformat(row["lastOccurredAt"])) for row in metrics["actionCounts"]],
            "providers": [
                (row, _query(row["providerId"]), datetime.fromisoformat(row["lastActionAt"]))
                for row in metrics["providerActivity"]
            ],
        }
    }


def _query(provider_id: str | None) -> str:
    """The query that chooses a provider; empty for one without an id."""
    return urlencode({"providerId": provider_id}) if provider_id else ""
