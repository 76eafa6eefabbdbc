"""The models of reporting, one subject a module; a module that is put here is loaded with the others."""

from importlib import import_module
from pkgutil import iter_modules

from reporting.models.alerts import AlertDelivery, AlertMute, AlertRule
from reporting.models.audit import AuditEntry
from reporting.models.automation import AutomationRun
from reporting.models.beats import Beat
from reporting.models.checkpoints import Checkpoint, CheckpointMove
from reporting.models.conversions import ConversionFold, ConversionSnapshot, ConversionTotal
from reporting.models.destinations import WebhookDestination
from reporting.models.findings import Finding, HealthLook
from reporting.models.followups import GuardrailFollowUp, IdempotencyKey, ProviderGuardrailStatus
from reporting.models.journeys import OnboardingJourney, OnboardingJourneyEvent, PricingExperimentSegment
from reporting.models.ledger import DayTotal, ExpiredDay, RowTotal
from reporting.models.messages import SlackChannel, SlackMessage
from reporting.models.parity import ParityCheck, RepairRequest
from reporting.models.pauses import FeedPause
from reporting.models.runs import ExportRun, RunLogLine

__all__ = [
    "AlertDelivery",
    "AlertMute",
    "AlertRule",
    "AuditEntry",
    "AutomationRun",
    "Beat",
    "Checkpoint",
    "CheckpointMove",
    "ConversionFold",
    "ConversionSnapshot",
    "ConversionTotal",
    "DayTotal",
    "ExpiredDay",
    "ExportRun",
    "FeedPause",
    "Finding",
    "GuardrailFollowUp",
    "HealthLook",
    "IdempotencyKey",
    "OnboardingJourney",
    "OnboardingJourneyEvent",
    "ParityCheck",
    "PricingExperimentSegment",
    "ProviderGuardrailStatus",
    "RepairRequest",
    "RowTotal",
    "RunLogLine",
    "SlackChannel",
    "SlackMessage",
    "WebhookDestination",
]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
