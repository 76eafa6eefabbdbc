"""The onboarding page: assignments of pricing experiments, and the journeys of orders."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from reporting.pages.frame import VIEW, operator_page, page


@operator_page(VIEW)
@require_GET
def onboarding(request: HttpRequest) -> HttpResponse:
    """Assignments, filtered."""
    return page(request, "reporting/onboarding.html", {"title": "Onboarding"})
