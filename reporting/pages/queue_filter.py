"""Which providers an operator wants to see in the follow-up queue: the filters of the reports page."""

from collections.abc import Collection
from typing import Any

from django import forms
from django.db.models import Q

from reporting.feeds.cursors import Walk
from reporting.insights.automation import SEVERITIES, Alert
from reporting.models import GuardrailFollowUp, ProviderGuardrailStatus
from reporting.recording import followups

_SEVERITIES = tuple(SEVERITIES.values())


class QueueFilter(forms.Form):
    """The filters as they stand in a query; each is exact, and one that is not valid lets everything through."""

    severity = forms.ChoiceField(
        required=False,
        choices=[("", "any"), *((severity, severity) for severity in _SEVERITIES)],
        error_messages={"invalid_choice": f"Must be {' or '.join(_SEVERITIES)}. Showing all severities."},
    )
    provider = forms.CharField(required=False, label="Provider id", max_length=200)
    platform = forms.CharField(required=False, label="Platform slug", max_length=200)

    def __init__(self, query: Any, statuses: Collection[Alert]) -> None:
        """Read the filters of a query; ``statuses`` are the newest of all providers, which tell what is known."""
        super().__init__(query, auto_id="queue_%s", label_suffix="")
        self._statuses = statuses
        self.full_clean()

    def clean_provider(self) -> str:
        """Refuse a provider that nothing is known of."""
        given: str = self.cleaned_data["provider"]
        is_known = given in {status.provider_id for status in self._statuses}
        if given and not is_known and not ProviderGuardrailStatus.objects.filter(pk=given).exists():
            raise forms.ValidationError("No provider has this id. Showing all providers.")
        return given

    def clean_platform(self) -> str:
        """Refuse a platform that nothing is known of."""
        given: str = self.cleaned_data["platform"]
        is_known = given in {status.platform_slug for status in self._statuses}
        if given and not is_known and not GuardrailFollowUp.objects.filter(platform_context_id=given).exists():
            raise forms.ValidationError("No platform has this slug. Showing all platforms.")
        return given

    def given(self) -> dict[str, str]:
        """The filters that are set and valid."""
        return {name: text for name, text in self.cleaned_data.items() if text}

    def lets_through(self, alert: Alert) -> bool:
        """Whether an alert matches."""
        values = {"severity": alert.severity, "provider": alert.provider_id, "platform": alert.platform_slug}
        return all(values[name] == text for name, text in self.given().items())

    def walk(self) -> Walk:
        """The walk through the follow-ups that match; those of a severity are those of the providers that have it."""
        given, where = self.given(), Q()
        columns = {"provider": "provider_id", "platform": "platform_context_id"}
        within = next(((column, given[name]) for name, column in columns.items() if name in given), None)
        if "provider" in given and "platform" in given:
            where &= Q(platform_context_id=given["platform"])
        if "severity" in given:
            alerts = (status for status in self._statuses if status.status in SEVERITIES)
            where &= Q(provider_id__in=[alert.provider_id for alert in alerts if alert.severity == given["severity"]])
        return Walk(followups.FEED, within=within, where=where)
