"""The desk's form that records a guardrail follow-up."""

import uuid
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib.auth.models import User
from rest_framework.exceptions import ValidationError

from reporting.feeds.shapes import Row
from reporting.models import GuardrailFollowUp
from reporting.recording import followups
from reporting.recording.idempotency import KeyReusedError
from reporting.recording.requests import FOLLOW_UP, validated

# The fields of the form by the paths in which the recording names what is wrong.
_FIELDS = {
    "providerId": "provider_id",
    "providerName": "provider_name",
    "action": "action",
    "notes": "notes",
    "platformContext.id": "platform_id",
    "platformContext.label": "platform_label",
    "platformContext.handle": "platform_handle",
    "platformContext.platformType": "platform_type",
}


def _text(label: str, **attributes: str) -> forms.CharField:
    """A field for a string that need not be given; the recording knows its limits."""
    return forms.CharField(required=False, label=label, widget=forms.TextInput(attributes))


class FollowUpForm(forms.Form):
    """What an operator did about a provider.

    The values are checked by what checks a follow-up that comes over REST, so that both allow the same.
    """

    action = forms.ChoiceField(choices=GuardrailFollowUp.Action.choices, widget=forms.RadioSelect)
    provider_id = forms.CharField(label="Provider id", widget=forms.TextInput({"autocomplete": "off"}))
    provider_name = _text("Provider name", autocomplete="off")
    notes = forms.CharField(required=False, label="Notes, at most 500 characters", widget=forms.Textarea({"rows": 3}))
    platform_id = _text("Platform slug", placeholder="instagram", autocomplete="off")
    platform_label = _text("Platform name", placeholder="Instagram DM Concierge", autocomplete="off")
    platform_handle = _text("Handle", placeholder="@shop", autocomplete="off")
    platform_type = _text("Platform type", placeholder="IG", autocomplete="off")
    token = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, conversions: Callable[[], Row], **kwargs: Any) -> None:
        """Make a form whose follow-up carries what ``conversions`` gives: the cursor and the link of a view."""
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self._conversions = conversions
        self.values: Row = {}

    def clean(self) -> None:
        """Check the values as the recording does, and name the fields that it refuses."""
        given = {path: self.cleaned_data.get(field) or None for path, field in _FIELDS.items()}
        body: Row = {path: value for path, value in given.items() if "." not in path} | self._conversions()
        context = {path.partition(".")[2]: value for path, value in given.items() if "." in path}
        body["platformContext"] = context if any(context.values()) else None
        try:
            self.values = validated(FOLLOW_UP, body)
        except ValidationError as error:
            for path, problems in cast(dict[str, list[str]], error.detail).items():
                field = _FIELDS.get(path)
                if field is None or field not in self.errors:
                    self.add_error(field, [str(problem) for problem in problems])

    def record(self, operator: User) -> Row | None:
        """Record the follow-up once, however often the form is sent; None where the form says why it is not."""
        try:
            return followups.record(self.values, f"desk:{self.cleaned_data['token']}", operator)
        except KeyReusedError:
            self.add_error(None, "This form was sent before with other values. Check the timeline, then send it anew.")
            return None

    @property
    def has_platform_errors(self) -> bool:
        """Whether a field of the platform is wrong, so that the page opens that part."""
        return any(name.startswith("platform_") for name in self.errors)

    @staticmethod
    def fresh_token() -> str:
        """What tells the repetition of a form from another form."""
        return str(uuid.uuid4())
