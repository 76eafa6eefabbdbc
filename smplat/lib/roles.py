"""The roles that the desk ships as groups: what each may do, in words and in Django's permissions.

A role may do what the one before it may, and more. Every migration sets the three groups to what stands here; who needs
another set makes a group of another name.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

#: In the order of what they may do.
ROLES = ("Viewer", "Operator", "Admin")


@dataclass(frozen=True)
class Capability:
    """Something that operators do.

    Attributes:
        sentence: what it is, for people.
        role: the first of the roles that may do it.
        permissions: what it takes, each as ``app.codename``.
    """

    sentence: str
    role: str
    permissions: tuple[str, ...]

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles that may do it."""
        return ROLES[ROLES.index(self.role) :]


def _view(app: str, *models: str) -> tuple[str, ...]:
    return tuple(f"{app}.view_{model}" for model in models)


def _manage(app: str, model: str) -> tuple[str, ...]:
    return tuple(f"{app}.{action}_{model}" for action in ("view", "add", "change", "delete"))


CAPABILITIES = (
    Capability(
        "See the pages: exports, funnel, warehouse, refused events, alerts", "Viewer", _view("reporting", "exportrun")
    ),
    Capability("See events", "Viewer", _view("telemetry", "quickorderevent", "guardrailworkflowevent")),
    Capability(
        "See orders and experiments",
        "Viewer",
        _view("reporting", "onboardingjourney", "onboardingjourneyevent", "pricingexperimentsegment"),
    ),
    Capability(
        "See follow-ups and providers",
        "Viewer",
        _view("reporting", "guardrailfollowup", "providerguardrailstatus", "automationrun"),
    ),
    Capability(
        "See checkpoints, webhooks and messages",
        "Viewer",
        _view("reporting", "checkpoint", "checkpointmove", "webhookdestination", "slackmessage"),
    ),
    Capability("Download exports and CSV files", "Operator", ("reporting.export_data",)),
    Capability("Run, retry and repair exports", "Operator", ("reporting.start_exportrun",)),
    Capability("Record follow-ups", "Operator", ("reporting.add_guardrailfollowup",)),
    Capability("Rewind checkpoints and undo it", "Operator", ("reporting.rewind_checkpoint",)),
    Capability("Mute alerts and send tests", "Operator", ("reporting.add_alertmute",)),
    Capability("Enable webhooks", "Operator", ("reporting.change_webhookdestination",)),
    Capability("Read the audit log", "Admin", _view("reporting", "auditentry")),
    Capability("Spare channels some alerts", "Admin", _manage("reporting", "alertrule")),
    Capability("Add and change accounts and groups", "Admin", (*_manage("auth", "user"), *_manage("auth", "group"))),
)


def ship(**options: Any) -> None:
    """Set the groups of the roles to what they may do; called after every migration."""
    for role in ROLES:
        names = [name for each in CAPABILITIES if role in each.roles for name in each.permissions]
        wanted = Q(pk__in=[])
        for app, _, codename in (name.partition(".") for name in names):
            wanted |= Q(content_type__app_label=app, codename=codename)
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set(Permission.objects.filter(wanted))
