"""Whether the warehouse holds what the desk has sent, as the last check found; and the repair of what it lacks.

The page shows what the job has stored, and never connects to the warehouse.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from reporting.feeds import FEEDS
from reporting.models import AuditEntry, ParityCheck, RepairRequest
from reporting.pages.frame import START, feed_of, operator_page, user_of
from smplat.lib.queueing import queue_task

_INTAKE = ("received", "accepted", "duplicates", "ignored", "rejected")
_ROWS = ("accepted", "exported", "pending", "expired")
_LOAD = ("exported", "loaded", "refused", "unloaded")
_KINDS = {"missing": "Missing", "extra": "Extra", "changed": "Changed", "in_flight": "In flight"}
_WORDS = {"duplicates": "duplicate", "unloaded": "in flight"}


@dataclass(frozen=True)
class Equation:
    """One equation of the ledger: what it counts, in words, and what it leaves over."""

    text: str
    remainder: int


def section(request: HttpRequest) -> dict[str, Any]:
    """What the last check has found; where it failed, also what the last one before found that did not."""
    last = ParityCheck.objects.order_by("-at").first()
    found = last
    if last is not None and last.state == ParityCheck.State.FAILED:
        found = ParityCheck.objects.exclude(state=ParityCheck.State.FAILED).order_by("-at").first()
    return {
        "warehouse": {
            "is_set": bool(settings.WAREHOUSE_URL),
            "last": last,
            "found": found,
            "feeds": _feeds(found.figures) if found else [],
            "no_feed": _no_feed(found.figures) if found else None,
        }
    }


@operator_page(START)
@require_POST
def repair(request: HttpRequest, feed_key: str) -> HttpResponse:
    """Have the missing and changed rows of a feed put on the stage, and loaded."""
    feed = feed_of(feed_key)
    if not settings.WAREHOUSE_URL:
        raise Http404("WAREHOUSE_URL is not set")
    with transaction.atomic():
        RepairRequest.objects.get_or_create(feed=feed.key)
        AuditEntry.objects.log(user_of(request), AuditEntry.Action.REPAIR_WAREHOUSE, feed.key)
    if not queue_task("reporting.repair_warehouse"):
        text = f"{feed.label}: the repair waits for the broker, which cannot be reached. It starts by itself."
        messages.warning(request, text)
    else:
        text = f"{feed.label}: the repair is queued. The load and the next check follow it, and show here."
        messages.success(request, text)
    return redirect(f"{reverse('pages:reports')}#warehouse")


def _feeds(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The feeds of a check; one that was declared since is not among them."""
    return [_feed(key, figures["feeds"][key], figures["ledger"][key]) for key in FEEDS if key in figures["feeds"]]


def _feed(key: str, found: dict[str, Any], line: dict[str, int]) -> dict[str, Any]:
    kinds = [(label, found[kind]["count"], found[kind]["ids"]) for kind, label in _KINDS.items()]
    equations = [
        _intake(line),
        Equation(_text(line, _ROWS), line["rows_remainder"]),
        Equation(_text(found, _LOAD), found["remainder"]),
    ]
    differs = [found[kind]["count"] for kind in ("missing", "extra", "changed")]
    return {
        "feed": FEEDS[key],
        "found": found,
        "kinds": kinds,
        "equations": equations,
        "is_equal": not any(differs) and not any(equation.remainder for equation in equations),
        "to_repair": found["missing"]["count"] + found["changed"]["count"],
    }


def _no_feed(figures: dict[str, Any]) -> Equation | None:
    """The line of events that belong to no feed, of which the first equation alone can be asked."""
    line = figures["ledger"].get("")
    return _intake(line) if line else None


def _intake(line: dict[str, int]) -> Equation:
    """What came in; checks of earlier versions did not count minted ids."""
    minted = line.get("minted", 0)
    text = _text(line, _INTAKE) + (f"; {minted:,} accepted without an id" if minted else "")
    return Equation(text, line["intake_remainder"])


def _text(figures: dict[str, int], names: tuple[str, ...]) -> str:
    whole, *parts = [f"{_WORDS.get(name, name)} {figures[name]:,}" for name in names]
    return f"{whole} = {' + '.join(parts)}"
