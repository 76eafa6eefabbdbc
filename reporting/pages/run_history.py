"""The history of runs, filtered and page by page."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.core.validators import MaxValueValidator
from django.db.models import F, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleLessThan
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from reporting.feeds import FEEDS
from reporting.models import ExportRun
from reporting.pages.frame import VIEW, operator_page, page
from reporting.pages.links import page_link
from reporting.pages.parameters import ignored
from smplat.lib.times import LATEST, midnight

LISTED_RUNS = 50
_ANY = ("", "any")


def _day(label: str) -> forms.DateField:
    last = MaxValueValidator(LATEST.date(), "Must lie before 2200.")
    return forms.DateField(required=False, label=label, widget=forms.DateInput({"type": "date"}), validators=[last])


class RunFilter(forms.Form):
    """Which runs to list."""

    feed = forms.ChoiceField(required=False, choices=[_ANY, *((feed.key, feed.label) for feed in FEEDS.values())])
    state = forms.ChoiceField(required=False, choices=[_ANY, *ExportRun.State.choices])
    trigger = forms.ChoiceField(required=False, choices=[_ANY, *ExportRun.Trigger.choices])
    user = forms.CharField(required=False, max_length=150)
    since = _day("From (UTC)")
    until = _day("To (UTC)")
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def clean_before(self) -> ExportRun | None:
        """The run after which the page begins."""
        key: UUID | None = self.cleaned_data["before"]
        if key is None:
            return None
        run = ExportRun.objects.filter(pk=key).first()
        if run is None:
            raise forms.ValidationError("The run from which this page goes on is gone; start at the newest run.")
        return run

    def runs(self) -> QuerySet[ExportRun]:
        """The runs that the form asks for, newest first."""
        given = self.cleaned_data
        runs = ExportRun.objects.select_related("requested_by").order_by("-created_at", "-id")
        for name, lookup in (("feed", "feed"), ("state", "state"), ("trigger", "trigger")):
            if given[name]:
                runs = runs.filter(**{lookup: given[name]})
        if given["user"]:
            runs = runs.filter(requested_by__username=given["user"])
        if given["since"]:
            runs = runs.filter(created_at__gte=midnight(given["since"]))
        if given["until"]:
            runs = runs.filter(created_at__lt=midnight(given["until"] + timedelta(days=1)))
        if before := given["before"]:
            runs = runs.filter(TupleLessThan(Tuple(F("created_at"), F("id")), (before.created_at, before.pk)))
        return runs


@operator_page(VIEW)
@require_GET
def runs(request: HttpRequest) -> HttpResponse:
    """The runs of all feeds, newest first."""
    form = RunFilter(request.GET)
    context: dict[str, Any] = {"title": "Export runs", "form": form, "runs": []}
    context["ignored"] = ignored(request, [field.name for field in form.visible_fields()], ("before",))
    if form.is_valid():
        found = list(form.runs()[: LISTED_RUNS + 1])
        context["runs"] = found[:LISTED_RUNS]
        if len(found) > LISTED_RUNS:
            context["older"] = page_link(request, before=str(found[LISTED_RUNS - 1].pk))
        if form.cleaned_data["before"]:
            context["newest"] = page_link(request, before=None)
    return page(request, "reporting/runs.html", context, status=200 if form.is_valid() else 400)
