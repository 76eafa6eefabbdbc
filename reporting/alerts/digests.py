"""The digests of guardrails that are posted to Slack."""

from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from reporting.alerts import attachments, outbox, slack
from reporting.alerts.links import conversions_url
from reporting.models import GuardrailFollowUp, ProviderGuardrailStatus, messages
from smplat.lib.addresses import is_url
from telemetry.models import ATTACHMENT_ACTIONS, GuardrailWorkflowEvent

_LOOKBACK = timedelta(hours=24)
_MAX_ATTACHMENTS = 5


def queue_followup(follow_up_id: UUID) -> None:
    """Queue the digest of a follow-up; does nothing when no webhook is set.

    Call it inside the transaction that records the follow-up, after the provider's state is written: then a committed
    follow-up always has its digest, with the state in which it left the provider, and one that is rolled back has
    none. It sends nothing itself; see :mod:`reporting.alerts.outbox`.

    Raises:
        GuardrailFollowUp.DoesNotExist: the follow-up is not recorded (yet).
    """
    if not settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK:
        return
    status = ProviderGuardrailStatus.objects.filter(pk=OuterRef("provider_id"))
    follow_up = GuardrailFollowUp.objects.annotate(is_paused=Subquery(status.values("is_paused"))).get(pk=follow_up_id)
    text = followup_text(follow_up, bool(follow_up.is_paused), recent_actions(follow_up.provider_id))
    outbox.put(f"followup:{follow_up_id}", messages.FOLLOW_UPS, text)


def recent_actions(provider_id: str) -> dict[str, int]:
    """How often each workflow action was taken for a provider in the last 24 hours."""
    return GuardrailWorkflowEvent.objects.actions_at(provider_id, timezone.now() - _LOOKBACK)


def followup_text(follow_up: GuardrailFollowUp, is_paused: bool, actions: Mapping[str, int]) -> str:
    """The digest of a follow-up, in Slack's markup; what operators wrote is escaped and cannot forge a line.

    Args:
        follow_up: the follow-up.
        is_paused: whether the provider is, after it.
        actions: what :func:`recent_actions` says of the provider.
    """
    name = slack.one_line(follow_up.provider_name or follow_up.provider_id)
    lines = [
        f"*Guardrail follow-up: {name}*",
        f"Action: {follow_up.action}. The provider is {'paused' if is_paused else 'active'}.",
        *_quoted(follow_up.notes or ""),
        *_platform_line(follow_up),
        *_attachments_line(follow_up),
        _workflow_line(actions),
        f"{provider_link(follow_up.provider_id)} · {_conversions_link(follow_up)}",
    ]
    return "\n".join(lines)


def provider_link(provider_id: str, label: str = "Provider") -> str:
    """A link to the desk's page about a provider."""
    query = urlencode({"providerId": provider_id})
    return slack.link(f"{settings.PUBLIC_BASE_URL}/admin/reports?{query}", label)


def _quoted(notes: str) -> list[str]:
    return [f"> {slack.escape(line)}" for line in notes.splitlines() if line.strip()]


def _platform_line(follow_up: GuardrailFollowUp) -> list[str]:
    label = follow_up.platform_context_label or follow_up.platform_context_id
    details = [follow_up.platform_context_handle, follow_up.platform_context_type]
    known = ", ".join(slack.one_line(detail) for detail in details if detail)
    if not (label or known):
        return []
    return [f"Platform: {slack.one_line(label or 'not named')}{f' ({known})' if known else ''}"]


def _workflow_line(actions: Mapping[str, int]) -> str:
    kinds = [f"{name} {actions[name]:,}" for name in ATTACHMENT_ACTIONS if actions[name]]
    details = f" ({', '.join(kinds)})" if kinds else ""
    return (
        f"Workflow, last 24 hours: attachments {actions['attachment']:,}{details}, notes {actions['note']:,}, "
        f"queue {actions['queue']:,}"
    )


def _attachments_line(follow_up: GuardrailFollowUp) -> list[str]:
    found = attachments.shown(follow_up.attachments)
    more = [f"{len(found) - _MAX_ATTACHMENTS} more"] if len(found) > _MAX_ATTACHMENTS else []
    names = [*(slack.link(item.link, item.name) for item in found[:_MAX_ATTACHMENTS]), *more]
    return [f"Attachments: {', '.join(names)}"] if names else []


def _conversions_link(follow_up: GuardrailFollowUp) -> str:
    """The link stored in the row, else the page's own, and what it shows."""
    cursor, href = follow_up.conversion_cursor, follow_up.conversion_href or ""
    label = "Live conversion snapshot" if cursor is None else f"Historical conversion slice (cursor {cursor})"
    link = slack.link(href if is_url(href, ("http", "https")) else conversions_url(cursor), "Open conversions")
    return f"{link}: {slack.one_line(label)}"
