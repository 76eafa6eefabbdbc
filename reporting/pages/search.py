"""The search of every page (⌘K): orders by a part of their number, and sessions, events, runs and providers."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from unfold.dataclasses import SearchResult

from reporting.feeds import FEEDS, WINDOW_FEEDS
from reporting.feeds.shapes import model_of
from reporting.models import ExportRun, GuardrailFollowUp, OnboardingJourney, ProviderGuardrailStatus
from reporting.pages.frame import VIEW, user_of
from smplat.lib.query_timeout import QueryTimeoutError, query_timeout
from telemetry.intake import event_id_of
from telemetry.models import QuickOrderEvent

#: How many orders, and events of a session, are listed.
MAX_LISTED = 10
#: Sessions are looked for among so many events.
SEARCHED_EVENTS = 20_000
#: A part of a number is looked for from so many characters on.
MIN_PART = 3
_MAX_LENGTH, _TIMEOUT = 200, timedelta(seconds=1)


def results(request: HttpRequest, lowered: str) -> list[SearchResult]:
    """What the palette lists for the term that was typed; a constant number of queries, each by an index.

    Args:
        request: the palette's request, which has the term as it was typed.
        lowered: the term in lower case, as the theme hands it over; keys are not all in lower case.
    """
    term = request.GET.get("s", "").strip()
    if not term or len(term) > _MAX_LENGTH or "\0" in term or not user_of(request).has_perm(VIEW):
        return []
    return [*_by_key(term), *_events(term), *_session(term), *_provider(term), *_orders(term)]


def _by_key(term: str) -> Iterator[SearchResult]:
    """What has the term as its key."""
    try:
        key = UUID(term)
    except ValueError:
        return
    if run := ExportRun.objects.filter(pk=key).first():
        yield SearchResult(f"Run {str(key)[:8]}", run.get_feed_display(), run.get_absolute_url(), "history")
    for feed in FEEDS.values():
        if feed not in WINDOW_FEEDS and model_of(feed).objects.filter(pk=key).exists():
            yield SearchResult(str(key), feed.label, reverse("pages:row", args=[feed.key, key]), "article")
    for journey in OnboardingJourney.objects.filter(order_id=key):
        yield _order(journey)


def _events(term: str) -> Iterator[SearchResult]:
    """The events with the id that a client has sent, or that the desk has made of it."""
    try:
        key = event_id_of(term)
    except ValueError:
        return
    for feed in WINDOW_FEEDS:
        if model_of(feed).objects.filter(**{feed.key_column: key}).exists():
            yield SearchResult(term, feed.label, reverse("pages:row", args=[feed.key, key]), "article")


def _session(term: str) -> Iterator[SearchResult]:
    found = QuickOrderEvent.objects.of_session(term, SEARCHED_EVENTS)
    for event_id, name, at in found.values_list("event_id", "event_name", "recorded_at")[:MAX_LISTED]:
        link = reverse("pages:row", args=["quick_order", event_id])
        yield SearchResult(f"{name} of session {term}", f"{at:%Y-%m-%d %H:%M:%S} UTC", link, "shopping_cart")


def _provider(term: str) -> Iterator[SearchResult]:
    state = ProviderGuardrailStatus.objects.filter(pk=term).first()
    if state is not None or GuardrailFollowUp.objects.filter(provider_id=term).exists():
        name = state.provider_name if state and state.provider_name else term
        link = f"{reverse('pages:reports')}?{urlencode({'providerId': term})}#followups"
        yield SearchResult(name, "Provider", link, "storefront")


def _orders(term: str) -> Iterator[SearchResult]:
    """The newest orders whose number holds the term; none where that takes the database too long."""
    if len(term) < MIN_PART:
        return
    try:
        with query_timeout(_TIMEOUT):
            yield from [_order(journey) for journey in OnboardingJourney.objects.numbered_like(term)[:MAX_LISTED]]
    except QueryTimeoutError:
        yield SearchResult("Too many orders match", "Type more of the number", reverse("pages:onboarding"), "search")


def _order(journey: OnboardingJourney) -> SearchResult:
    link = reverse("pages:journey", args=[journey.order_id])
    return SearchResult(f"Order {journey}", f"{journey.created_at:%Y-%m-%d %H:%M} UTC", link, "receipt_long")
