"""The desk's first page."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from reporting.pages import cards, conversions, followups, funnel, rows, workflow
from reporting.pages.frame import VIEW, operator_page, page

# In the order of the page; each gives the context of a template of its name.
SECTIONS = (cards, funnel, workflow, followups, conversions, rows)


@operator_page(VIEW)
@require_GET
def reports(request: HttpRequest) -> HttpResponse:
    """Whether storefront and warehouse agree, what ran last, what is late, and what to press."""
    context = {"title": "Reports"}
    for section in SECTIONS:
        context |= section.section(request)
    return page(request, "reporting/reports.html", context)
