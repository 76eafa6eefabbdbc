"""The models of reporting."""

from reporting.models.followups import GuardrailFollowUp, IdempotencyKey, ProviderGuardrailStatus
from reporting.models.journeys import OnboardingJourney, OnboardingJourneyEvent, PricingExperimentSegment
from reporting.models.runs import Checkpoint, ExportRun, RunLogLine

__all__ = [
    "Checkpoint",
    "ExportRun",
    "GuardrailFollowUp",
    "IdempotencyKey",
    "OnboardingJourney",
    "OnboardingJourneyEvent",
    "PricingExperimentSegment",
    "ProviderGuardrailStatus",
    "RunLogLine",
]
