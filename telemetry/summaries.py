"""Funnel and workflow activity, folded from events in wire shape.

The same fold reads rows of the database for the pages and lines of an exported object for its status, so that the two
cannot count differently. A feed's window bounds what it reads.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from rest_framework import serializers

from telemetry.models import ATTACHMENT_ACTIONS, QuickOrderEvent

_TOP_ACTIONS = 10
_TOP_PROVIDERS = 5


def funnel(names: Iterable[str]) -> dict[str, int | None]:
    """Count the steps of the quick-order flow.

    Args:
        names: the names of events.

    Returns:
        ``startCount``, ``abortCount``, ``completeCount``, and ``completionRate``: completes per 100 starts, rounded
        half up to an integer, None without a start.
    """
    counts = Counter(names)
    starts = counts[QuickOrderEvent.Name.START]
    completes = counts[QuickOrderEvent.Name.COMPLETE]
    return {
        "startCount": starts,
        "abortCount": counts[QuickOrderEvent.Name.ABORT],
        "completeCount": completes,
        # Adding half a divisor before whole division rounds half up without a float.
        "completionRate": (200 * completes + starts) // (2 * starts) if starts else None,
    }


class Metrics:
    """What a telemetry feed's status tells, counted over rows in wire shape.

    Attributes:
        document: the shape of :meth:`metrics`, by which a status that somebody else wrote is checked.
    """

    document: ClassVar[type[serializers.BaseSerializer[Any]]] = serializers.DictField  # type: ignore[assignment]

    def add(self, row: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def metrics(self) -> dict[str, Any]:
        """The ``metrics`` of the status."""
        raise NotImplementedError

    @classmethod
    def stored(cls, first: int, last: int) -> dict[str, Any] | None:
        """The same as the database counts it, from position ``first`` to ``last``; None: the two are not compared."""
        return None


class EventCounts(Metrics):
    """How often each event came, by its name."""

    def __init__(self) -> None:
        self._names: Counter[str] = Counter()

    def add(self, row: Mapping[str, Any]) -> None:
        self._names[row["name"]] += 1

    def metrics(self) -> dict[str, Any]:
        """The names and their counts, the most frequent first."""
        return {"eventCounts": dict(self._names.most_common())}


class FunnelDocument(serializers.Serializer[Any]):
    """The metrics of the quick-order funnel; null stands for what its writer does not know."""

    startCount = serializers.IntegerField(min_value=0, allow_null=True)
    abortCount = serializers.IntegerField(min_value=0, allow_null=True)
    completeCount = serializers.IntegerField(min_value=0, allow_null=True)
    completionRate = serializers.FloatField(allow_null=True, min_value=0)


class Funnel(EventCounts):
    """How far shoppers got."""

    document = FunnelDocument

    def metrics(self) -> dict[str, Any]:
        """Starts, aborts, completes and the completion rate."""
        return dict(funnel(self._names))

    @classmethod
    def stored(cls, first: int, last: int) -> dict[str, Any]:
        """The funnel as the database counts it."""
        return dict(funnel(Counter(dict(QuickOrderEvent.objects.names_between(first, last)))))


class ActionDocument(serializers.Serializer[Any]):
    """How often one workflow action was taken."""

    action = serializers.CharField(allow_null=True)
    count = serializers.IntegerField(min_value=0, allow_null=True)


class WorkflowDocument(serializers.Serializer[Any]):
    """The metrics of the guardrail workflow; null stands for what its writer does not know."""

    actionCounts = ActionDocument(many=True, allow_null=True)
    attachmentTotals = serializers.DictField(
        child=serializers.IntegerField(min_value=0, allow_null=True), allow_null=True
    )
    providerActivity = serializers.ListField(child=serializers.DictField(allow_null=True), allow_null=True)


class WorkflowActivity(Metrics):
    """Running totals over guardrail workflow events.

    Times are ISO 8601 strings of one fixed width in UTC, which sort as the moments do.
    """

    document = WorkflowDocument

    def __init__(self, events: Iterable[Mapping[str, Any]] = ()) -> None:
        self.total = 0
        self.last_captured_at: str | None = None
        self._actions: dict[str, dict[str, Any]] = {}
        # By id; those without one by their name.
        self._providers: dict[tuple[str | None, str | None], dict[str, Any]] = {}
        for event in events:
            self.add(event)

    def add(self, event: Mapping[str, Any]) -> None:
        """Count one event: a mapping with ``workflowAction``, ``providerId``, ``providerName`` and ``recordedAt``."""
        at, name = event["recordedAt"], event["workflowAction"]
        self.total += 1
        self.last_captured_at = max(at, self.last_captured_at or at)
        action = self._actions.setdefault(name, {"action": name, "count": 0, "lastOccurredAt": at})
        action["count"] += 1
        action["lastOccurredAt"] = max(at, action["lastOccurredAt"])
        self._add_to_provider(event, at, name)

    def _add_to_provider(self, event: Mapping[str, Any], at: str, action: str) -> None:
        provider_id, provider_name = event["providerId"] or None, event["providerName"] or None
        latest = {"providerName": provider_name, "lastAction": action, "lastActionAt": at}
        provider = self._providers.setdefault(
            (provider_id, None if provider_id else provider_name),
            {"providerId": provider_id, "providerName": None, "totalActions": 0, **latest},
        )
        provider["totalActions"] += 1
        if at >= provider["lastActionAt"]:
            provider.update(latest)

    def actions_by_time(self) -> list[dict[str, Any]]:
        """Every action, the one taken last first."""
        return sorted(self._actions.values(), key=lambda action: str(action["lastOccurredAt"]), reverse=True)

    def top_actions(self) -> list[dict[str, Any]]:
        """The ten most frequent actions, the most frequent first; of equals the one taken last."""
        return sorted(self.actions_by_time(), key=lambda action: -int(action["count"]))[:_TOP_ACTIONS]

    def attachment_totals(self) -> dict[str, int]:
        """How often attachments were uploaded, removed, copied and tagged."""
        return {name: self._actions.get(f"attachment.{name}", {}).get("count", 0) for name in ATTACHMENT_ACTIONS}

    def provider_activity(self) -> list[dict[str, Any]]:
        """The five providers at which something happened last, newest first."""
        newest_first = sorted(self._providers.values(), key=lambda row: str(row["lastActionAt"]), reverse=True)
        return newest_first[:_TOP_PROVIDERS]

    def summary(self) -> dict[str, Any]:
        """The body of the workflow summary endpoint."""
        return {
            "totalEvents": self.total,
            "lastCapturedAt": self.last_captured_at,
            "actionCounts": self.actions_by_time(),
            "attachmentTotals": self.attachment_totals(),
            "providerActivity": self.provider_activity(),
        }

    def metrics(self) -> dict[str, Any]:
        """The metrics of the status JSON."""
        return {
            "actionCounts": self.top_actions(),
            "attachmentTotals": self.attachment_totals(),
            "providerActivity": self.provider_activity(),
        }
