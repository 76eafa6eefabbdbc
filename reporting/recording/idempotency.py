"""Answers to repeated requests: an ``Idempotency-Key`` acts once, and its repetitions get the first answer.

Source of the header: the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import hashlib
from collections.abc import Callable

import orjson
from django.utils import timezone

from reporting.feeds.shapes import Row
from reporting.models import IdempotencyKey

_PRUNED_AT_ONCE = 100


class KeyReusedError(ValueError):
    """The key came before, with another request."""


def once(key: str | None, request: Row, act: Callable[[], Row]) -> Row:
    """Do ``act`` unless it was done for ``key`` in the last 24 hours.

    With a key, call it in a transaction, so that the note of the key and what ``act`` writes are one.

    Args:
        key: the client's key; None acts every time.
        request: what was asked for, by which a repetition is distinguished from another request.
        act: writes what there is to write and returns the answer, a JSON object.

    Returns:
        The answer of the first request with ``key``. One that is under way is waited for.

    Raises:
        KeyReusedError: ``key`` came with another request.
    """
    if key is None:
        return act()
    claim = _claim(key, hashlib.sha256(orjson.dumps(request, option=orjson.OPT_SORT_KEYS)).hexdigest())
    if claim.answer is None:
        claim.answer = act()
        claim.save(update_fields=["answer"])
    answer: Row = claim.answer
    return answer


def _claim(key: str, fingerprint: str) -> IdempotencyKey:
    """The row of ``key``; without an answer it is this transaction's own."""
    now = timezone.now()
    keys = IdempotencyKey.objects.all()
    keys.expired(now).filter(pk=key).delete()
    keys.prune(now, _PRUNED_AT_ONCE)
    # Waits while another transaction holds the same new key. Once that one has committed, its answer is there to see.
    keys.bulk_create([IdempotencyKey(key=key, fingerprint=fingerprint, created_at=now)], ignore_conflicts=True)
    claim = keys.get(pk=key)
    if claim.fingerprint != fingerprint:
        raise KeyReusedError("This key came before with another body.")
    return claim
