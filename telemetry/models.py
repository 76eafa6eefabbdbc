"""Storefront telemetry as it arrived.

The fields carry the names and types of the warehouse columns. ``position`` is the order of arrival and defines the
window of a feed; ``event`` is the event as it left the client.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models.functions import Coalesce, Now

from smplat.lib.feed_models import FeedModel, FeedQuerySet
from telemetry.forward_models import Forward, ForwardBreaker

__all__ = ["Forward", "ForwardBreaker"]

#: What operators do with attachments in the guardrail workflow, in actions called ``attachment.`` and one of these.
ATTACHMENT_ACTIONS = ("upload", "remove", "copy", "tag")


class TelemetryQuerySet(FeedQuerySet):
    """Telemetry by arrival."""

    def expired(self, after: int, before_position: int, received_before: datetime, limit: int) -> list[int]:
        """Positions of those of the ``limit`` oldest arrivals after one position that lie before both other bounds."""
        oldest = self.filter(position__gt=after, position__lt=before_position).order_by("position")[:limit]
        return [position for position, at in oldest.values_list("position", "received_at") if at < received_before]


class TelemetryEvent(FeedModel):
    """What telemetry feeds have in common, and what capture has to know of each.

    A subclass declares the columns that are its feed's alone, each a text, and:

    Attributes:
        names: the names of the events that it takes.
        sources: for each of its own columns the dotted paths in an event where the value may stand; the first that is
            not null counts.
        route: the last part of a capture route of its own, below the general one; None for none.
        listed: its own columns that the admin lists.
    """

    names: ClassVar[tuple[str, ...]] = ()
    sources: ClassVar[dict[str, tuple[str, ...]]] = {}
    route: ClassVar[str | None] = None
    listed: ClassVar[tuple[str, ...]] = ()

    position = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(unique=True, editable=False)
    recorded_at = models.DateTimeField()
    metadata = models.JSONField(default=dict)
    event = models.JSONField(help_text="The event as it left the client.")
    received_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = TelemetryQuerySet.as_manager()  # type: ignore[misc]  # the base class's manager, and more

    class Meta:
        abstract = True
        ordering: ClassVar = ["-position"]

    def __str__(self) -> str:
        return str(self.event_id)


class QuickOrderQuerySet(TelemetryQuerySet):
    """How far shoppers get."""

    def of_session(self, session_id: str, count: int) -> Self:
        """The events of a session among the ``count`` newest arrivals, newest first.

        An index of sessions would be written with every event, for a question that is asked now and then.
        """
        oldest = self.order_by("-position").values("position")[count : count + 1]
        after = Coalesce(models.Subquery(oldest), 0)
        return self.filter(session_id=session_id, position__gt=after).order_by("-position")

    def names_until(self, position: int, count: int) -> Iterable[tuple[str, int]]:
        """How often each name comes among the ``count`` newest arrivals at or before ``position``."""
        newest = self.filter(position__lte=position).order_by("-position")[:count]
        counted = self.filter(position__in=newest.values("position")).order_by().values("event_name")
        counts: Iterable[tuple[str, int]]
        counts = counted.annotate(count=models.Count("position")).values_list("event_name", "count")
        return counts

    def names_between(self, first: int, last: int) -> Iterable[tuple[str, int]]:
        """How often each name comes from position ``first`` to ``last``, both included."""
        between = self.filter(position__gte=first, position__lte=last).order_by().values("event_name")
        counts: Iterable[tuple[str, int]]
        counts = between.annotate(count=models.Count("position")).values_list("event_name", "count")
        return counts


class QuickOrderEvent(TelemetryEvent):
    """One step of a shopper through the quick-order flow."""

    class Name(models.TextChoices):
        START = "quick_order.start"
        ABORT = "quick_order.abort"
        COMPLETE = "quick_order.complete"

    names = tuple(Name.values)
    sources: ClassVar = {
        "session_id": ("sessionId",),
        "event_name": ("name",),
        "product_id": ("productId",),
        "product_title": ("productTitle",),
        "platform_context": ("guardrail.platformSlug", "metadata.platformType"),
    }
    # The storefront sends these events here as well as to the general route.
    route = "quick-order"
    listed = ("event_name", "product_title", "platform_context")

    session_id = models.TextField(null=True, max_length=200)
    event_name = models.TextField(choices=Name, max_length=64)
    product_id = models.TextField(null=True, max_length=200)
    product_title = models.TextField(null=True, max_length=500)
    platform_context = models.TextField(null=True, max_length=200)

    objects = QuickOrderQuerySet.as_manager()  # type: ignore[misc]  # the base class's manager, and more

    class Meta(TelemetryEvent.Meta):
        indexes: ClassVar = [
            # The flow of the last days, counted from the index alone where it is not folded.
            models.Index(fields=["recorded_at", "event_name"], name="quick_orders_by_time"),
        ]


class WorkflowQuerySet(TelemetryQuerySet):
    """What the guardrail workflow says of providers."""

    def actions_at(self, provider_id: str, since: datetime) -> dict[str, int]:
        """How often the workflow actions of each kind were taken for a provider, by one query.

        Returns:
            Counts of ``attachment``, ``note`` and ``queue`` actions, and of each of the attachment actions.
        """
        begins = {name: models.Q(workflow_action__startswith=f"{name}.") for name in ("attachment", "note", "queue")}
        exact = {name: models.Q(workflow_action=f"attachment.{name}") for name in ATTACHMENT_ACTIONS}
        counts = {name: models.Count("pk", filter=condition) for name, condition in (begins | exact).items()}
        return self.filter(recorded_at__gt=since, provider_id=provider_id).aggregate(**counts)


class GuardrailWorkflowEvent(TelemetryEvent):
    """One action of an operator or an automation in the guardrail workflow."""

    names = ("guardrail.workflow",)
    sources: ClassVar = {
        "provider_id": ("providerId",),
        "provider_name": ("providerName",),
        "workflow_action": ("workflowAction",),
        "source": ("source",),
        "guardrail_platform_slug": ("guardrail.platformSlug",),
        "guardrail_status": ("guardrail.guardrailStatus",),
    }
    listed = ("workflow_action", "provider_name", "guardrail_status")

    provider_id = models.TextField(null=True, max_length=200)
    provider_name = models.TextField(null=True, max_length=500)
    workflow_action = models.TextField(max_length=100)
    source = models.TextField(null=True, max_length=64)
    guardrail_platform_slug = models.TextField(null=True, max_length=200)
    guardrail_status = models.TextField(null=True, max_length=64)

    objects = WorkflowQuerySet.as_manager()  # type: ignore[misc]  # the base class's manager, and more

    class Meta(TelemetryEvent.Meta):
        indexes: ClassVar = [
            # When each provider last reported a status, of those of the last day, and its row.
            models.Index(
                fields=["recorded_at", "provider_id", "position"],
                condition=models.Q(provider_id__isnull=False, guardrail_status__isnull=False),
                name="workflow_newest_statuses",
            ),
            # Parity with the warehouse, day by day.
            models.Index(fields=["recorded_at"], name="workflow_by_time"),
        ]


def kinds() -> tuple[type[TelemetryEvent], ...]:
    """The models of all telemetry feeds."""
    return tuple(TelemetryEvent.__subclasses__())


class IntakeTally(models.Model):
    """What one request brought, written with its rows; the ledger's fold adds it to the totals and removes it.

    A row of its own for each request, so that no two requests wait for each other.
    """

    id = models.BigAutoField(primary_key=True)
    line = models.TextField(help_text="The label of the model whose rows were asked for; empty for no feed.")
    received = models.IntegerField()
    accepted = models.IntegerField()
    duplicates = models.IntegerField()
    ignored = models.IntegerField()
    rejected = models.IntegerField()
    minted = models.IntegerField(db_default=0, help_text="Of the accepted, those that came without an id.")

    def __str__(self) -> str:
        return f"{self.line or 'no feed'}: {self.received}"


class IntakeTotal(models.Model):
    """The tallies that were folded, added up by line."""

    line = models.TextField(primary_key=True)
    received = models.BigIntegerField()
    accepted = models.BigIntegerField()
    duplicates = models.BigIntegerField()
    ignored = models.BigIntegerField()
    rejected = models.BigIntegerField()
    minted = models.BigIntegerField(db_default=0)

    def __str__(self) -> str:
        return f"{self.line or 'no feed'}: {self.received}"


class Refusal(models.Model):
    """An event that could not be stored, for people to see why; see :mod:`telemetry.refusals`."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now())
    route = models.TextField(help_text="The route that it was posted to.")
    line = models.TextField(blank=True, help_text="The label of the model of its feed; empty for no feed.")
    index = models.IntegerField(help_text="Its place in the request.")
    field = models.TextField(help_text="What was wrong.")
    reason = models.TextField(help_text="What is allowed there.")
    origin = models.TextField(blank=True, help_text="The Origin header.")
    client = models.TextField(help_text="The address of the client.")
    event = models.TextField(help_text="Its first 2 KB, with the values of unlisted fields masked.")

    class Meta:
        indexes: ClassVar = [
            # The page and its bars, and what is too old.
            models.Index(fields=["at"], name="refusals_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class ImportTotal(models.Model):
    """How many of a line's accepted rows an import of the replaced system's brought."""

    line = models.TextField(primary_key=True)
    rows = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.line}: {self.rows}"
