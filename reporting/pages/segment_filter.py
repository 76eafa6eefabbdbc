"""Which assignments of pricing experiments an operator wants to see: the filters of the onboarding page and its CSV."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import TextField

from reporting.insights.assignments import Assignments
from reporting.models import PricingExperimentSegment
from smplat.lib.times import EARLIEST, LATEST, midnight

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LAST_DAY = LATEST.date() - timedelta(days=1)
_DAYS = [
    MinValueValidator(EARLIEST.date(), "Must lie between 1970-01-01 and 2199-12-31."),
    MaxValueValidator(_LAST_DAY, "Must lie between 1970-01-01 and 2199-12-31."),
]


def _text(column: str, label: str) -> forms.CharField:
    field = PricingExperimentSegment._meta.get_field(column)
    max_length = field.max_length if isinstance(field, TextField) else None
    too_long = {"max_length": f"Must be a string of at most {max_length} characters."}
    return forms.CharField(required=False, label=label, max_length=max_length, strip=False, error_messages=too_long)


def _day(label: str) -> forms.DateField:
    return forms.DateField(
        required=False,
        label=label,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        input_formats=["%Y-%m-%d"],
        validators=_DAYS,
        error_messages={"invalid": "Must be a day such as 2026-01-22."},
    )


class SegmentFilter(forms.Form):
    """The filters as they stand in a query; each of them is exact, and an empty one lets everything through."""

    slug = _text("slug", "Experiment")
    variant = _text("variant_key", "Variant")
    status = _text("status", "Status")
    strategy = _text("assignment_strategy", "Assignment strategy")
    order = _text("order_number", "Order number or id")
    since = _day("From (UTC)")
    until = _day("To (UTC)")

    def clean(self) -> dict[str, Any]:
        """Refuse days in the wrong order."""
        given: dict[str, Any] = super().clean() or {}
        since, until = given.get("since"), given.get("until")
        if since and until and since > until:
            self.add_error("until", "Must not lie before the first day.")
        return given

    def assignments(self) -> "Assignments":
        """What a valid form asks for."""
        given = self.cleaned_data
        order = given["order"]
        is_id = _UUID.fullmatch(order) is not None
        strings = {
            "order_number": "" if is_id else order,
            "slug": given["slug"],
            "variant_key": given["variant"],
            "assignment_strategy": given["strategy"],
            "status": given["status"],
        }
        return Assignments(
            equal={name: text for name, text in strings.items() if text},
            order_id=UUID(order) if is_id else None,
            since=midnight(given["since"]) if given["since"] else None,
            until=midnight(given["until"] + timedelta(days=1)) if given["until"] else None,
        )

    def given(self) -> dict[str, str]:
        """The filters that are set, as a query spells them."""
        return {name: self.data[name] for name in self.fields if self.data.get(name)}
