"""Exceptions of alerts in Django's admin: what a channel is not notified of."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget

from reporting.alerts.channels import channels
from reporting.feeds import FEEDS
from reporting.models import AlertRule
from smplat.lib.admin import DeclaredFilters


class AlertRuleForm(forms.ModelForm):  # type: ignore[type-arg]  # no type parameter at run time
    """An exception, of the channels and feeds that there are."""

    channel = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    feed = forms.ChoiceField(
        required=False,
        choices=[("", "every feed, and the desk"), *((feed.key, feed.label) for feed in FEEDS.values())],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = AlertRule
        fields = ("channel", "kind", "feed")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # One of a channel that the settings no longer name may be read, and deleted.
        names = dict.fromkeys([*channels(), *filter(None, [self.instance.channel])])
        self.fields["channel"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]


@admin.register(AlertRule)
class AlertRuleAdmin(DeclaredFilters, ModelAdmin):
    """Exceptions, which those may change who have the permission."""

    form = AlertRuleForm
    list_display: ClassVar = ["channel", "kind", "feed"]
    ordering: ClassVar = ["channel", "kind", "feed"]
