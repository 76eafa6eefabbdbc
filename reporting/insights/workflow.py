"""What operators do in the guardrail workflow, over the feed's window."""

from typing import Any

from reporting.feeds import FEEDS
from smplat.lib.times import iso
from telemetry.models import GuardrailWorkflowEvent
from telemetry.summaries import WorkflowActivity


def workflow_activity(limit: int) -> WorkflowActivity:
    """The activity in the newest ``limit`` guardrail workflow events, by one query."""
    rows = GuardrailWorkflowEvent.objects.newest(limit)
    fields = ("workflow_action", "provider_id", "provider_name", "recorded_at")
    return WorkflowActivity(
        {"workflowAction": action, "providerId": provider_id, "providerName": name, "recordedAt": iso(at)}
        for action, provider_id, name, at in reversed(rows.values_list(*fields))
    )


def provider_telemetry(provider_id: str) -> dict[str, Any] | None:
    """What the workflow summary says of one provider, None where the feed's window holds nothing of it."""
    events = GuardrailWorkflowEvent.objects
    window = events.newest(FEEDS["guardrail_workflow"].window or 0).values("position")
    rows = events.filter(position__in=window, provider_id=provider_id).order_by("position")
    activity = WorkflowActivity(
        {"workflowAction": action, "providerId": provider_id, "providerName": name, "recordedAt": iso(at)}
        for action, name, at in rows.values_list("workflow_action", "provider_name", "recorded_at")
    )
    for provider in activity.provider_activity():
        return {name: provider[name] for name in ("totalActions", "lastAction", "lastActionAt")}
    return None
