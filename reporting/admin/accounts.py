"""Accounts and groups in Django's admin, under the rules for URLs that hold for the other lists."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from smplat.lib.admin import DeclaredFilters

admin.site.unregister([User, Group])


@admin.register(User)
class AccountAdmin(DeclaredFilters, UserAdmin):  # type: ignore[misc, type-arg]  # the mixin sees no model
    """Accounts, filtered by what they are allowed."""


@admin.register(Group)
class AccountGroupAdmin(DeclaredFilters, GroupAdmin):  # type: ignore[misc]
    """Groups of accounts."""
