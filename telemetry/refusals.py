"""Refused events, so that somebody can see what was wrong with them: why, whose, and a masked look at each.

They are written by the statement that counts them, are bounded in number and age, and never hold a value that no feed
has a column or a field for, since nobody knows what strangers put there.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.db.models import Max
from django.db.models.functions import Now

from telemetry.bodies import Unstorable
from telemetry.models import Refusal, kinds

#: Of one request so many are kept; the ledger counts them all.
MAX_A_REQUEST = 100
#: So many are kept in all, the newest, for so long.
MAX_ROWS, KEPT_FOR = 10_000, timedelta(days=14)
MAX_EVENT_BYTES = 2_048
_MAX_TEXT = 200
_MASK = "***"
_COMMON = ("id", "name", "source", "recordedAt", "reason", "outcome")


@dataclass(frozen=True)
class Sender:
    """Where a request came from.

    Attributes:
        route: the route that it was posted to.
        origin: the Origin header; empty without one.
        client: the address of the client.
    """

    route: str
    origin: str
    client: str


def row(sender: Sender, line: str, index: int, event: Any, field: str, reason: str) -> dict[str, Any]:
    """What is kept of a refused event.

    Args:
        sender: who sent it.
        line: the ledger's line that counts it.
        index: its place in the request.
        event: the event as it was parsed.
        field: what was wrong with it: a field,
        reason: and what is allowed there.
    """
    return {
        "route": sender.route,
        "line": line,
        "index": index,
        "field": _text(field),
        "reason": _text(reason),
        "origin": _text(sender.origin),
        "client": _text(sender.client),
        "event": masked(event),
    }


def masked(event: Any) -> str:
    """The first 2 KB of an event as JSON, the values of fields that no feed lists masked."""
    if not isinstance(event, dict):
        return event.problem if isinstance(event, Unstorable) else f"({type(event).__name__})"
    # Escaped, so that what no text column holds can be seen.
    shown = json.dumps({key: _shown(key, value) for key, value in event.items()}, default=_problem)
    return shown[:MAX_EVENT_BYTES]


def prune() -> None:
    """Delete what is too old, and what is more than is kept."""
    newest = Refusal.objects.aggregate(newest=Max("id"))["newest"] or 0
    Refusal.objects.filter(id__lte=newest - MAX_ROWS).delete()
    Refusal.objects.filter(at__lt=Now() - KEPT_FOR).delete()


def _shown(path: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shown(f"{path}.{key}", item) for key, item in value.items()} if path in _groups() else _MASK
    return value if path in _listed() and not isinstance(value, list) else _MASK


@cache
def _listed() -> frozenset[str]:
    return frozenset(_COMMON) | {path for model in kinds() for paths in model.sources.values() for path in paths}


@cache
def _groups() -> frozenset[str]:
    return frozenset(path.partition(".")[0] for path in _listed() if "." in path)


def _problem(value: Unstorable) -> str:
    return value.problem


def _text(text: str) -> str:
    """``text`` as a text column takes it."""
    return text[:_MAX_TEXT].replace("\0", "?").encode(errors="replace").decode()
