"""The models of reporting."""

from reporting.models.audit import AuditEntry
from reporting.models.automation import AutomationRun
from reporting.models.checkpoints import Checkpoint, CheckpointMove
from reporting.models.conversions import ConversionFold, ConversionTotal
from reporting.models.destinations import WebhookDestination
from reporting.models.followups import GuardrailFollowUp, IdempotencyKey, ProviderGuardrailStatus
from reporting.models.journeys import OnboardingJourney, OnboardingJourneyEvent, PricingExperimentSegment
from reporting.models.ledger import ExpiredDay, RowTotal
from reporting.models.messages import SlackChannel, SlackMessage
from reporting.models.parity import ParityCheck
from reporting.models.runs import ExportRun, RunLogLine

__all__ = [
    "AuditEntry",
    "AutomationRun",
    "Checkpoint",
    "CheckpointMove",
    "ConversionFold",
    "ConversionTotal",
    "ExpiredDay",
    "ExportRun",
    "GuardrailFollowUp",
    "IdempotencyKey",
    "OnboardingJourney",
    "OnboardingJourneyEvent",
    "ParityCheck",
    "PricingExperimentSegment",
    "ProviderGuardrailStatus",
    "RowTotal",
    "RunLogLine",
    "SlackChannel",
    "SlackMessage",
    "WebhookDestination",
]
