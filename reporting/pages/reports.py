"""The desk's first page."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from reporting.pages import automation, cards, conversions, followups, funnel, parameters, parity, rows, workflow
from reporting.pages.followup_form import FollowUpForm
from reporting.pages.frame import VIEW, operator_page, page
from reporting.pages.links import page_link

# In the order of the page; each gives the context of a template of its name.
SECTIONS = (cards, funnel, workflow, automation, followups, conversions, parity, rows)
_FILTERS = ("providerId", "provider", "platform", "severity", "conversionCursor", "asOf")
_PLACES = ("rows", "batch", "before", "queueCursor", "timelineCursor")


@operator_page(VIEW)
@require_http_methods(["GET", "HEAD", "POST"])
def reports(request: HttpRequest) -> HttpResponse:
    """Whether storefront and warehouse agree, what ran last, what is late, and what to press.

    A POST records a follow-up, and comes back to the page.
    """
    if moved := parameters.moved(request):
        return moved
    if request.method != "POST":
        return page(request, "reporting/reports.html", _context(request))
    sent = followups.record(request)
    if isinstance(sent, FollowUpForm):
        return page(request, "reporting/reports.html", {**_context(request), "followup_form": sent}, status=400)
    return redirect(page_link(request, "followups", providerId=sent["providerId"], timelineCursor=None))


def _context(request: HttpRequest) -> dict[str, Any]:
    context: dict[str, Any] = {"title": "Reports", "ignored": parameters.ignored(request, _FILTERS, _PLACES)}
    for section in SECTIONS:
        context |= section.section(request)
    return context
