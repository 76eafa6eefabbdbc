"""What is wrong with the desk, and since when."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models.functions import Now

from smplat.lib.times import iso

#: How long lies between two looks at the desk.
LOOK_EVERY = timedelta(seconds=30)


class Severity(models.TextChoices):
    """How bad a finding is, the worst first."""

    CRITICAL = "critical"
    WARNING = "warning"


class Kind(models.TextChoices):
    """What can be wrong, the worst first."""

    NO_WORKER = "no_worker", "No worker"
    NO_SCHEDULER = "no_scheduler", "No scheduler"
    NO_CHECKS = "no_checks", "No checks"
    SEVERAL_SCHEDULERS = "several_schedulers", "Several schedulers"
    DISK_FULL = "disk_full", "Disk almost full"
    LEDGER_REMAINDER = "ledger_remainder", "Rows unaccounted for"
    WAREHOUSE_DIFFERS = "warehouse_differs", "Warehouse differs"
    FAILED_RUN = "failed_run", "Failed run"
    DRIFT = "drift", "Drift"
    LATE_FEED = "late_feed", "Late feed"
    PAUSED = "paused", "Feed paused"
    STUCK_QUEUE = "stuck_queue", "Stuck queue"
    DESTINATION_DISABLED = "destination_disabled", "Webhook disabled"
    ROWS_QUARANTINED = "rows_quarantined", "Rows quarantined"
    WAREHOUSE_UNCHECKED = "warehouse_unchecked", "Warehouse not checked"
    REFUSALS = "refusals", "Refusals above usual"
    REWOUND = "rewound", "Checkpoint rewound"
    LONG_WRITER = "long_writer", "Exports held back"
    SLACK_FAILING = "slack_failing", "Slack not delivering"

    @property
    def nature(self) -> "Nature":
        """What all findings of the kind have in common."""
        return _NATURES[self]


@dataclass(frozen=True)
class Nature:
    """What all findings of a kind have in common.

    Attributes:
        severity: how bad it is.
        when: when there is one, as a sentence for the documentation.
        button: the label of the button that fixes it; empty where no page of the desk can.
        permission: what an operator needs to press it.
        is_post: whether the button changes something itself; others lead to a page.
    """

    severity: Severity
    when: str
    button: str = ""
    permission: str = ""
    is_post: bool = False


_START, _REWIND = "reporting.start_exportrun", "reporting.rewind_checkpoint"
_NATURES: dict[str, Nature] = {
    Kind.NO_WORKER: Nature(Severity.CRITICAL, "No worker of a queue has given a sign of life for a minute."),
    Kind.NO_SCHEDULER: Nature(Severity.CRITICAL, "No scheduler has given a sign of life for a minute."),
    Kind.NO_CHECKS: Nature(Severity.CRITICAL, "Nobody has completed a look at the desk's health for two minutes."),
    Kind.SEVERAL_SCHEDULERS: Nature(Severity.CRITICAL, "Two schedulers or more run on the database."),
    Kind.DISK_FULL: Nature(Severity.CRITICAL, "Less than 5 % of the disk with `VAR_DIR` is free."),
    Kind.LEDGER_REMAINDER: Nature(Severity.CRITICAL, "An equation of the conservation ledger does not balance."),
    Kind.WAREHOUSE_DIFFERS: Nature(
        Severity.CRITICAL, "The last check found rows missing, extra or changed.", "Repair", _START, True
    ),
    Kind.FAILED_RUN: Nature(
        Severity.CRITICAL, "The last run of a feed failed, and no later one has succeeded.", "Retry", _START, True
    ),
    Kind.DRIFT: Nature(
        Severity.WARNING, "Storefront and export differ by more than 5 %.", "Open funnel", "reporting.view_exportrun"
    ),
    Kind.LATE_FEED: Nature(
        Severity.WARNING, "A feed has not been exported for two intervals of its schedule.", "Run now", _START
    ),
    Kind.PAUSED: Nature(
        Severity.WARNING, "The schedule of a feed has been paused for over a day.", "Resume", _START, True
    ),
    Kind.STUCK_QUEUE: Nature(
        Severity.WARNING, "A run has waited for a worker for over a minute.", "Open run", "reporting.view_exportrun"
    ),
    Kind.DESTINATION_DISABLED: Nature(
        Severity.WARNING,
        "A webhook has unsubscribed (410), so nothing is sent to it.",
        "Open destinations",
        "reporting.view_webhookdestination",
    ),
    Kind.ROWS_QUARANTINED: Nature(
        Severity.WARNING,
        "The last load refused rows or quarantined files.",
        "Open warehouse",
        "reporting.view_exportrun",
    ),
    Kind.WAREHOUSE_UNCHECKED: Nature(
        Severity.WARNING,
        "The last check of the warehouse failed, or is over three hours old.",
        "Open warehouse",
        "reporting.view_exportrun",
    ),
    Kind.REFUSALS: Nature(
        Severity.WARNING,
        "More than 20 events were refused in ten minutes, and more than three times the usual number of the last day.",
        "Open refused",
        "reporting.view_exportrun",
    ),
    Kind.REWOUND: Nature(
        Severity.WARNING, "An operator has rewound a checkpoint, and no export has passed it again.", "Review", _REWIND
    ),
    Kind.LONG_WRITER: Nature(Severity.WARNING, "A database transaction has held exports back for over 30 seconds."),
    Kind.SLACK_FAILING: Nature(
        Severity.WARNING,
        "Slack has refused a message, or has not taken one after three attempts.",
        "Open messages",
        "reporting.view_slackmessage",
    ),
}
_ORDER: dict[str, int] = {kind: place for place, kind in enumerate(Kind)}
_UNKNOWN = Nature(Severity.WARNING, "")


def kind_choices() -> list[tuple[str, str]]:
    """The kinds, for the model's field; as a function, it leaves them out of the migrations."""
    return Kind.choices


class FindingQuerySet(models.QuerySet["Finding"]):
    """Findings by whether they hold."""

    def open(self) -> Self:
        """Findings that hold."""
        return self.filter(ended_at__isnull=True)


class Finding(models.Model):
    """One thing that is wrong, from the look that found it to the one that found it gone."""

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField(choices=kind_choices)
    feed = models.TextField(blank=True, help_text="The feed's key; empty for what concerns the whole desk.")
    since = models.DateTimeField(db_default=Now(), help_text="When it began, or where that is not known, was found.")
    sentence = models.TextField()
    url = models.TextField(blank=True, help_text="The path behind its button.")
    ended_at = models.DateTimeField(null=True)

    objects = FindingQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            # Also the index of what is open.
            models.UniqueConstraint(
                fields=["kind", "feed"], condition=models.Q(ended_at__isnull=True), name="one_open_finding"
            )
        ]
        indexes: ClassVar = [
            # Retention, and the history.
            models.Index(fields=["ended_at"], name="findings_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.feed}".strip()

    @property
    def nature(self) -> Nature:
        """What it has in common with others of its kind; another version of the desk may have kinds of its own."""
        return _NATURES.get(self.kind, _UNKNOWN)

    @property
    def rank(self) -> tuple[int, str]:
        """Where it stands among others, the worst first."""
        return _ORDER.get(self.kind, len(_ORDER)), self.feed

    def as_json(self) -> dict[str, Any]:
        action = {"label": self.nature.button, "url": self.url} if self.nature.button else None
        return {
            "kind": self.kind,
            "severity": self.nature.severity.value,
            "feed": self.feed or None,
            "since": iso(self.since),
            "sentence": self.sentence,
            "action": action,
        }


class HealthLook(models.Model):
    """The newest look at the desk's health, a row alone: who may take the next one, and whether they come to an end."""

    id = models.IntegerField(primary_key=True, default=1)
    begun_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    reported_at = models.DateTimeField(null=True, help_text="When HEARTBEAT_URL was last called.")

    def __str__(self) -> str:
        return f"look of {self.begun_at:%Y-%m-%d %H:%M:%S}"
