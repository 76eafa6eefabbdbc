"""Journeys, segments, follow-ups and runs in Django's admin: evidence, so it can be read and not changed.

The tables grow without bound, so no page reads one from end to end: searches are for exact values of indexed columns,
lists come in the order of an index, and rows are counted up to a limit alone.
"""

import uuid
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from reporting.admin import checkpoints  # noqa: F401 - registers itself
from reporting.admin.destinations import WebhookDestinationAdmin
from reporting.models import (
    AuditEntry,
    AutomationRun,
    ExportRun,
    GuardrailFollowUp,
    OnboardingJourney,
    OnboardingJourneyEvent,
    PricingExperimentSegment,
    ProviderGuardrailStatus,
    SlackMessage,
    WebhookDestination,
)
from smplat.lib.admin import EvidenceAdmin

_MAX_COUNTED = 10_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts rows up to 10,000, which is further than anyone turns pages."""

    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most 10,000."""
        return self.object_list.order_by()[:_MAX_COUNTED].count()


class IndexedEvidenceAdmin(EvidenceAdmin):
    """Finds rows by exact values, by index.

    Attributes:
        uuid_lookups: what a term that is a UUID is compared with.
        string_lookups: what any term is compared with.
    """

    paginator = CappedPaginator
    # Sorting by a column without an index would read and sort the whole table.
    sortable_by = ()
    uuid_lookups: ClassVar[tuple[str, ...]] = ()
    string_lookups: ClassVar[tuple[str, ...]] = ()

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Everything that is searched, which is why the page shows a search box."""
        return (*self.uuid_lookups, *self.string_lookups)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find the rows that have exactly ``search_term`` in one of the lookups."""
        term = search_term.strip()
        if "\0" in term:
            return queryset.none(), False
        return (queryset.filter(self.matching(term)) if term else queryset), False

    def matching(self, term: str) -> Q:
        """The condition of a search."""
        condition = Q(pk__in=[])
        for lookup in self.string_lookups:
            condition |= Q(**{lookup: term})
        if (identifier := _uuid(term)) is not None:
            for lookup in self.uuid_lookups:
                condition |= Q(**{lookup: identifier})
        return condition


@admin.register(OnboardingJourney)
class OnboardingJourneyAdmin(IndexedEvidenceAdmin):
    """Journeys, found by their id or their order's."""

    list_display: ClassVar = ["id", "order_id", "order_number", "created_at"]
    ordering: ClassVar = ["-created_at"]
    uuid_lookups = ("id", "order_id")


@admin.register(OnboardingJourneyEvent)
class OnboardingJourneyEventAdmin(IndexedEvidenceAdmin):
    """Journey events, found by their id, their journey's or their order's."""

    list_display: ClassVar = ["id", "event_type", "journey_id", "order_id", "occurred_at"]
    ordering: ClassVar = ["-occurred_at"]
    uuid_lookups = ("id", "journey_id")

    def matching(self, term: str) -> Q:
        """The condition of a search; an order is found by its journey, which has an index on it."""
        condition = super().matching(term)
        if (identifier := _uuid(term)) is None:
            return condition
        journeys = OnboardingJourney.objects.filter(order_id=identifier).values_list("pk", flat=True)
        return condition | Q(journey_id__in=list(journeys))


@admin.register(PricingExperimentSegment)
class PricingExperimentSegmentAdmin(IndexedEvidenceAdmin):
    """Segments, found by their event, order or experiment."""

    list_display: ClassVar = ["event_id", "slug", "variant_key", "status", "is_control", "order_number", "recorded_at"]
    ordering: ClassVar = ["-recorded_at"]
    uuid_lookups = ("event_id", "order_id")
    string_lookups = ("slug",)


@admin.register(GuardrailFollowUp)
class GuardrailFollowUpAdmin(IndexedEvidenceAdmin):
    """Follow-ups, found by their id or provider."""

    list_display: ClassVar = ["follow_up_id", "provider_id", "provider_name", "action", "notes", "created_at"]
    ordering: ClassVar = ["-created_at"]
    uuid_lookups = ("follow_up_id",)
    string_lookups = ("provider_id",)


@admin.register(ProviderGuardrailStatus)
class ProviderGuardrailStatusAdmin(IndexedEvidenceAdmin):
    """States of providers, found by the provider's id."""

    list_display: ClassVar = ["provider_id", "provider_name", "is_paused", "last_action", "updated_at"]
    ordering: ClassVar = ["provider_id"]
    string_lookups = ("provider_id",)


@admin.register(ExportRun)
class ExportRunAdmin(IndexedEvidenceAdmin):
    """Export runs, found by their id or feed."""

    list_display: ClassVar = ["id", "feed", "trigger", "state", "created_at", "rows", "bytes", "error"]
    ordering: ClassVar = ["-created_at"]
    uuid_lookups = ("id",)
    string_lookups = ("feed",)


@admin.register(AutomationRun)
class AutomationRunAdmin(IndexedEvidenceAdmin):
    """Runs of the provider automation worker, newest first."""

    list_display: ClassVar = ["ran_at", "summary"]
    ordering: ClassVar = ["-ran_at"]


@admin.register(AuditEntry)
class AuditEntryAdmin(IndexedEvidenceAdmin):
    """What operators did, newest first, found by the operator's name or by what it was done to."""

    list_display: ClassVar = ["at", "username", "action", "subject", "details"]
    ordering: ClassVar = ["-id"]
    string_lookups = ("username", "subject")


@admin.register(SlackMessage)
class SlackMessageAdmin(IndexedEvidenceAdmin):
    """Messages to Slack, found by what they tell of."""

    list_display: ClassVar = ["dedupe_key", "webhook", "state", "attempts", "created_at", "sent_at", "problem"]
    ordering: ClassVar = ["-id"]
    string_lookups = ("dedupe_key",)


admin.site.register(WebhookDestination, WebhookDestinationAdmin)


def _uuid(term: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(term)
    except ValueError:
        return None
