"""Settings of the replaced system: those that are read under today's names, and those that nothing reads any more.

No value is ever shown: many of them are secrets.
"""

from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass, field
from difflib import get_close_matches

_JOBS = ("QUICK_ORDER_EXPORT", "GUARDRAIL_WORKFLOW_EXPORT", "ONBOARDING_EXPORT", "GUARDRAIL_EXPORT")
#: Each old name with the names under which its value is read now.
ALIASES: dict[str, tuple[str, ...]] = {
    "FRONTEND_URL": ("PUBLIC_BASE_URL",),
    "NEXT_PUBLIC_APP_URL": ("PUBLIC_BASE_URL",),
    "ONBOARDING_EXPORT_API_BASE_URL": ("API_BASE_URL",),
    "ONBOARDING_EXPORT_DATABASE_URL": ("DATABASE_URL",),
    "GUARDRAIL_EXPORT_DATABASE_URL": ("DATABASE_URL",),
    "PROVIDER_AUTOMATION_ALERT_SLACK_WEBHOOK_URL": (
        "PROVIDER_AUTOMATION_SLACK_WEBHOOK",
        "GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK",
    ),
    **{
        f"{job}_{name}": (name,)
        for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        for job in _JOBS
    },
}
#: Old names that nothing needs now, each with the reason.
RETIRED: dict[str, str] = {
    "QUICK_ORDER_EXPORT_URL": "the job reads the database",
    "GUARDRAIL_WORKFLOW_EXPORT_URL": "the job reads the database",
    "GUARDRAIL_EXPORT_TRIGGER_URL": "“Run now” starts the job",
    "GUARDRAIL_EXPORT_TRIGGER_TOKEN": "“Run now” starts the job",
    "PROVIDER_AUTOMATION_ALERT_WORKER_ENABLED": "the alerts always run, every hour",
    "PROVIDER_AUTOMATION_ALERT_INTERVAL_SECONDS": "the alerts always run, every hour",
}
#: What the names of our settings begin with, where no other program's do.
_PREFIXES = (
    "QUICK_ORDER_",
    "GUARDRAIL_",
    "ONBOARDING_",
    "PROVIDER_",
    "ANALYTICS_",
    "TELEMETRY_",
    "SLACK_",
    "LAKE_",
    "EXPORT_",
    "CHECKOUT_",
    "INGEST_",
    "WAREHOUSE_",
    "CORS_",
    "OIDC_",
)


@dataclass
class Renamed:
    """What became of the old names that are set.

    Attributes:
        notes: a sentence for each.
        sources: the old name from which a setting got its value, by the setting's name.
        conflicts: what is wrong with a setting that old names give different values, by its name.
    """

    notes: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    conflicts: dict[str, str] = field(default_factory=dict)


def apply(variables: MutableMapping[str, str]) -> Renamed:
    """Set today's names in ``variables`` from the old ones; a name that is set already wins."""
    renamed = Renamed()
    given: dict[str, list[str]] = {}
    for old, names in ALIASES.items():
        for name in names:
            if _value(variables, old):
                given.setdefault(name, []).append(old)
    for name, old_names in given.items():
        _settle(variables, name, old_names, renamed)
    return renamed


def _settle(variables: MutableMapping[str, str], name: str, old_names: list[str], renamed: Renamed) -> None:
    values = {_value(variables, old) for old in old_names}
    if current := _value(variables, name):
        ignored = [old for old in old_names if _value(variables, old) != current]
        renamed.notes += [f"{old} is ignored: {name} has another value. Please remove {old}." for old in ignored]
    elif len(values) > 1:
        renamed.conflicts[name] = f"{' and '.join(old_names)} give it different values; set {name} itself"
    else:
        variables[name] = values.pop()
        renamed.sources[name] = old_names[0]
        renamed.notes += [f"{old} is read as {name}; please rename it." for old in old_names]


def unknown(variables: Mapping[str, str], known: Collection[str]) -> list[str]:
    """A sentence for each name that looks like one of our settings, has a value, and is none of ``known``."""
    ours = sorted(name for name in variables if name.startswith(_PREFIXES) and _value(variables, name))
    return [_unknown(name, known) for name in ours if name not in known and name not in ALIASES]


def _unknown(name: str, known: Collection[str]) -> str:
    if name in RETIRED:
        return f"{name} is no longer needed: {RETIRED[name]}. Please remove it."
    nearest = get_close_matches(name, sorted(known), n=1)
    return f"{name} is not a setting." + (f" Did you mean {nearest[0]}?" if nearest else "")


def _value(variables: Mapping[str, str], name: str) -> str:
    return variables.get(name, "").strip()
