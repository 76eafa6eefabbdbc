"""The models of reporting."""

from reporting.models.audit import AuditEntry
from reporting.models.automation import AutomationRun
from reporting.models.checkpoint_moves import CheckpointMove
from reporting.models.conversions import ConversionFold, ConversionTotal
from reporting.models.destinations import WebhookDestination
from reporting.models.followups import GuardrailFollowUp, IdempotencyKey, ProviderGuardrailStatus
from reporting.models.journeys import OnboardingJourney, OnboardingJourneyEvent, PricingExperimentSegment
from reporting.models.messages import SlackChannel, SlackMessage
from reporting.models.runs import Checkpoint, ExportRun, RunLogLine

__all__ = [
    "AuditEntry",
    "AutomationRun",
    "Checkpoint",
    "CheckpointMove",
    "ConversionFold",
    "ConversionTotal",
    "ExportRun",
    "GuardrailFollowUp",
    "IdempotencyKey",
    "OnboardingJourney",
    "OnboardingJourneyEvent",
    "PricingExperimentSegment",
    "ProviderGuardrailStatus",
    "RunLogLine",
    "SlackChannel",
    "SlackMessage",
    "WebhookDestination",
]
