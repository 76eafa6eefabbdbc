"""Who is notified of what: findings held against what was sent, in the transaction of the look that found them.

A channel gets one message when a finding begins, one when it ends, and a reminder while it goes on. None while it is
muted; what began meanwhile and holds at the end of the mute is told then. Messages are rows, sent in the background by
whichever process comes first, tried for a day with growing pauses, and never by two at once.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from django.conf import settings
from django.db.models import Max

from reporting.alerts.channels import TIMEOUT_SECONDS, channels
from reporting.alerts.channels.send import Send
from reporting.feeds import FEEDS
from reporting.models import AlertDelivery, AlertMute, AlertRule, Finding
from smplat.lib.backoff import pause_after
from smplat.lib.times import database_now, iso

logger = logging.getLogger(__name__)
Event, State = AlertDelivery.Event, AlertDelivery.State
GIVE_UP_AFTER = timedelta(hours=24)
#: For as long a process has a delivery to itself; one that sends is done by then.
LEASE = timedelta(seconds=60)
_REMINDED = {Event.BEGAN, Event.REMINDER}


def note(held: Iterable[Finding], ended: Iterable[Finding], now: datetime) -> None:
    """Write the messages that are due; those of findings that have ended, and lift their mutes.

    Args:
        held: the findings that hold.
        ended: the findings that this look has ended.
        now: the time by the database's clock.
    """
    held, ended, names = list(held), list(ended), list(channels())
    sent = AlertDelivery.objects.filter(finding__in=[*held, *ended], event__in=_REMINDED)
    told = {(pk, name): at for pk, name, at in sent.values_list("finding", "channel").annotate(Max("at"))}
    is_silent = _silence(now)
    events = [
        (finding, name, event)
        for finding, name in product(held, names)
        if (event := _due(told.get((finding.pk, name)), now)) and not is_silent(finding, name)
    ]
    events += [
        (finding, name, Event.ENDED)
        for finding, name in product(ended, names)
        if (finding.pk, name) in told and not is_silent(finding, name)
    ]
    AlertDelivery.objects.bulk_create(
        AlertDelivery(finding=finding, channel=name, event=event, at=now, next_attempt_at=now)
        for finding, name, event in events
    )
    for finding in ended:
        AlertMute.objects.active(now).of(finding).filter(until__isnull=True).update(lifted_at=now)


def _due(last: datetime | None, now: datetime) -> str:
    """What a channel is to be told of a finding that holds, by when it was last; empty for nothing."""
    if last is None:
        return Event.BEGAN
    return Event.REMINDER if settings.ALERT_REMINDER and now - last >= settings.ALERT_REMINDER else ""


def _silence(now: datetime) -> Callable[[Finding, str], bool]:
    """What says whether a channel hears nothing of a finding."""
    muted = set(AlertMute.objects.active(now).values_list("kind", "feed"))
    rules = list(AlertRule.objects.all())

    def is_silent(finding: Finding, name: str) -> bool:
        exceptions = (rule for rule in rules if rule.channel == name)
        return (finding.kind, finding.feed) in muted or any(rule.is_about(finding) for rule in exceptions)

    return is_silent


def send_tests(now: datetime) -> int:
    """Have a test sent to every channel; return how many there are."""
    tests = [AlertDelivery(channel=name, event=Event.TEST, at=now, next_attempt_at=now) for name in channels()]
    return len(AlertDelivery.objects.bulk_create(tests))


def deliver(now: Callable[[], datetime] = database_now) -> int:
    """Send what is due, one after the other; return how many messages were taken.

    Args:
        now: the clock; claims hold for all processes, so it is the one that they share.
    """
    sends, taken = channels(), 0
    while (delivery := AlertDelivery.objects.claim_next(now(), now() + LEASE)) is not None:
        taken += _attempt(delivery, sends.get(delivery.channel), now)
    return taken


def _attempt(delivery: AlertDelivery, send: Send | None, now: Callable[[], datetime]) -> bool:
    problem = "The settings no longer name this channel."
    if send is not None:
        problem = send(*message(delivery), TIMEOUT_SECONDS)
    delivery.attempts, delivery.problem, at = delivery.attempts + 1, problem, now()
    if not problem:
        delivery.state, delivery.sent_at = State.SENT, at
    elif send is None or at - delivery.at > GIVE_UP_AFTER:
        delivery.state = State.GIVEN_UP
        logger.error("An alert to %s is given up: %s", delivery.channel, problem)
    else:
        delivery.next_attempt_at = at + pause_after(delivery.attempts)
    delivery.save(update_fields=["state", "attempts", "problem", "sent_at", "next_attempt_at"])
    return not problem


def message(delivery: AlertDelivery) -> tuple[str, str, dict[str, Any]]:
    """The subject, the text and the document of a delivery."""
    finding, page = delivery.finding, f"{settings.PUBLIC_BASE_URL}/admin/reports/alerts"
    document: dict[str, Any] = {"event": delivery.event, "at": iso(delivery.at), "finding": None}
    if finding is None:
        return "Test of alerts", f"Alerts of SMPLAT reach this channel.\n{page}", document
    about = FEEDS[finding.feed].label if finding.feed in FEEDS else "SMPLAT"
    state = {Event.ENDED: "Resolved: ", Event.REMINDER: "Still: "}.get(Event(delivery.event), "")
    document["finding"] = finding.as_json()
    return f"{state}{finding.get_kind_display()}: {about}", f"{about}: {finding.sentence}\n{page}", document
