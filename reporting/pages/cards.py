"""The cards of the feeds: how each one's exports stand."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from reporting.insights import freshness
from reporting.pages.frame import VIEW, operator_page, page


def section(request: HttpRequest) -> dict[str, Any]:
    """The cards, one a feed."""
    return {"cards": list(freshness.cards())}


@operator_page(VIEW)
@require_GET
def cards_fragment(request: HttpRequest) -> HttpResponse:
    """The cards alone, for the page that refreshes them."""
    return page(request, "reporting/_live.html", section(request))
