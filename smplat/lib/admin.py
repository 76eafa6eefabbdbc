"""Django's admin: filters that are declared alone, and rows that are evidence, so they can be read and not changed."""

import uuid
from typing import Any

from django.contrib import admin
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import SuspiciousOperation
from django.core.paginator import InvalidPage
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

_NUL = "\0"


def search(request: HttpRequest) -> HttpResponse:
    """The admin's search over its lists; refuse with a 400 a page of it that there is not."""
    try:
        return admin.site.admin_view(admin.site.search)(request)  # type: ignore[attr-defined, no-any-return]
    except InvalidPage as error:
        raise SuspiciousOperation(f"The search has no such page: {error}") from error


class DeclaredChangeList(ChangeList):
    """A list that is filtered by what its admin declares in ``list_filter``, and by nothing else."""

    def get_filters(self, request: HttpRequest) -> tuple[Any, ...]:
        """Read the filters in the URL; raise DisallowedModelAdminLookup for one that no filter declares."""
        given = self.get_filters_params()
        if any(_NUL in text for name, values in given.items() for text in (name, *values)):
            raise DisallowedModelAdminLookup("A filter holds a NUL character.")
        specs, has_filters, left, may_have_duplicates, has_active = super().get_filters(request)
        if undeclared := left.keys() - set(self.list_filter):
            raise DisallowedModelAdminLookup(f"No filter is declared for {', '.join(sorted(undeclared))}.")
        return specs, has_filters, left, may_have_duplicates, has_active


class DeclaredFilters:
    """A mixin for admins: refuses with a 400 what a URL asks beyond the declared filters.

    Django lets whoever may view a list filter it by any column and lookup, a regular expression or a year beyond what
    PostgreSQL knows included.
    """

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DeclaredChangeList

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """The list that the URL asks for; raise DisallowedModelAdminLookup where it cannot be had."""
        try:
            changelist: ChangeList = super().get_changelist_instance(request)  # type: ignore[misc]
        except IncorrectLookupParameters as error:
            raise DisallowedModelAdminLookup("A filter or a page number in the URL is not valid.") from error
        return changelist

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Carry out an action on the chosen objects; refuse keys with a NUL character, which no column holds."""
        if any(_NUL in key for key in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise SuspiciousOperation("A chosen key holds a NUL character.")
        return super().response_action(request, queryset)  # type: ignore[misc]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Find an object by the field that ``_to_field`` names in the URL, or by its key where it names none."""
        return super().get_object(request, object_id, from_field or None)  # type: ignore[misc]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find what the admin finds; PostgreSQL holds no text with a NUL character, so such a term finds nothing."""
        if _NUL in search_term:
            return queryset.none(), False
        found: tuple[QuerySet[Any], bool] = super().get_search_results(  # type: ignore[misc]
            request, queryset, search_term
        )
        return found


class EvidenceAdmin(DeclaredFilters, ModelAdmin):
    """Shows rows and lets nobody add, change or delete one."""

    show_full_result_count = False
    list_per_page = 50

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find a row by its exact id, by index; any other term finds nothing. A list without a search stays whole."""
        if not search_term or not self.get_search_fields(request):
            return queryset, False
        try:
            return queryset.filter(event_id=uuid.UUID(search_term.strip())), False
        except ValueError:
            return queryset.none(), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
