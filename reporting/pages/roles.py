"""What each role may do."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from reporting.pages.frame import VIEW, operator_page, page, user_of
from smplat.lib.roles import CAPABILITIES, ROLES


@operator_page(VIEW)
@require_GET
def roles(request: HttpRequest) -> HttpResponse:
    """The roles, what each may do, and what the reader may."""
    has_perms = user_of(request).has_perms
    rows = [
        (each.sentence, [role in each.roles for role in ROLES], has_perms(each.permissions)) for each in CAPABILITIES
    ]
    return page(request, "reporting/roles.html", {"title": "Roles", "roles": ROLES, "rows": rows})
