"""Forwarding of captured bodies to ``TELEMETRY_ENDPOINT``, which may take events that no feed stores.

Capture writes a body to a bounded backlog, and a task sends what is due. An endpoint that fails is left alone for a
while, longer each time, and then asked with one body before it gets more: a circuit breaker. One worker sends at a
time; its claim is a lease, so that one that dies stops nothing.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import httpx
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F

from smplat.lib import outgoing
from smplat.lib.backoff import pause_after
from smplat.lib.times import database_now
from telemetry import metrics
from telemetry.forward_models import Forward, ForwardBreaker

logger = logging.getLogger(__name__)
GIVE_UP_AFTER = timedelta(hours=24)
#: For as long a worker has the endpoint to itself; a round is over by then.
LEASE = timedelta(seconds=60)
_TIMEOUT_SECONDS = 10.0
# A shift ends long before a task that came later would have to wait for a thread.
_SHIFT = timedelta(seconds=25)
_ROUND = 8


class RetryableError(RuntimeError):
    """The endpoint did not take the body, but may take it later."""


def queue(content: bytes, content_type: str) -> None:
    """Add ``content`` to the backlog, where an endpoint is set; never fails the capture that calls it."""
    if not settings.TELEMETRY_ENDPOINT:
        return
    try:
        with transaction.atomic():
            dropped = Forward.objects.put(content, content_type)
    except DatabaseError as error:
        logger.warning("A telemetry body is not forwarded (%s)", type(error).__name__)
        return
    metrics.FORWARDS_DROPPED.inc(dropped)


def deliver(now: Callable[[], datetime] = database_now) -> int:
    """Send what is due, until nothing is, the endpoint fails, or the shift ends.

    Args:
        now: the clock; claims and pauses hold for all workers, so it is the one that they share.

    Returns:
        How many bodies are done with.
    """
    if old := Forward.objects.filter(created_at__lte=now() - GIVE_UP_AFTER).delete()[0]:
        logger.error("%d telemetry bodies are given up after a day", old)
    end, done = now() + _SHIFT, 0
    with ThreadPoolExecutor(_ROUND) as pool:
        while now() < end and Forward.objects.due(now()).exists() and (breaker := _claim(now())):
            taken, failed = _send_round(pool, breaker, now)
            done += taken
            if failed:
                break
    return done


def _claim(now: datetime) -> ForwardBreaker | None:
    """Keep other workers from asking for the time of a lease; None where one has, or the endpoint is left alone."""
    ForwardBreaker.objects.get_or_create(pk=1, defaults={"asked_from": now})
    if not ForwardBreaker.objects.filter(pk=1, asked_from__lte=now).update(asked_from=now + LEASE):
        return None
    return ForwardBreaker.objects.get(pk=1)


def _send_round(pool: ThreadPoolExecutor, breaker: ForwardBreaker, now: Callable[[], datetime]) -> tuple[int, int]:
    """Send the next few bodies at once, or one where the endpoint failed before; return how many went and failed."""
    bodies = list(Forward.objects.due(now())[: 1 if breaker.failures else _ROUND])
    failed = {body.pk for body, was_taken in zip(bodies, pool.map(_is_done, bodies), strict=True) if not was_taken}
    failures = breaker.failures + 1 if failed else 0
    again_at = now() + pause_after(failures) if failures else now()
    Forward.objects.filter(pk__in=[body.pk for body in bodies if body.pk not in failed]).delete()
    Forward.objects.filter(pk__in=failed).update(attempts=F("attempts") + 1, next_attempt_at=again_at)
    claimed = ForwardBreaker.objects.filter(pk=1, asked_from=breaker.asked_from)
    claimed.update(failures=failures, asked_from=again_at)
    return len(bodies) - len(failed), len(failed)


def _is_done(body: Forward) -> bool:
    """Whether nothing is left to be done with ``body``."""
    try:
        send(bytes(body.content), body.content_type)
    except RetryableError as error:
        logger.warning("%s", error)
        return False
    return True


def send(content: bytes, content_type: str) -> None:
    """Post ``content`` to ``TELEMETRY_ENDPOINT``; redirects are not followed.

    An answer that will not change (a redirect, or a 4xx but 429) is logged, and the body is given up.

    Raises:
        RetryableError: the endpoint cannot be reached, answers with a 5xx, or asks to be left alone for a while (429).
    """
    try:
        answer = outgoing.ask(
            "POST",
            settings.TELEMETRY_ENDPOINT,
            content=content,
            headers={"Content-Type": content_type},
            timeout=_TIMEOUT_SECONDS,
            max_bytes=0,
        )
    except httpx.HTTPError as error:
        raise RetryableError(f"TELEMETRY_ENDPOINT cannot be reached ({type(error).__name__})") from error
    if answer.may_change:
        raise RetryableError(f"TELEMETRY_ENDPOINT answered {answer.status}")
    if not answer.is_success:
        logger.error("A telemetry body is given up: TELEMETRY_ENDPOINT answered %s", answer.status)
