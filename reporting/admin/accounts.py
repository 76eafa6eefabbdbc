"""Accounts and groups in Django's admin, under the rules for URLs that hold for the other lists."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from smplat.lib.admin import DeclaredFilters

admin.site.unregister([User, Group])


@admin.register(User)
class AccountAdmin(DeclaredFilters, UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]  # the mixin sees no model
    """Accounts, filtered by what they are allowed."""

    # The theme draws inputs, and the button to add, for its own forms and admins alone.
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    # An account without the two may not sign in, or sees nothing.
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2", "is_staff", "groups")}),)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, str | list[str]]:
        """A new account is an operator's unless somebody says otherwise."""
        return {**super().get_changeform_initial_data(request), "is_staff": "on"}


@admin.register(Group)
class AccountGroupAdmin(DeclaredFilters, GroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Groups of accounts."""
