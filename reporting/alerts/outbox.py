"""The outbox of Slack: a message is written with what it tells of, and posted in the background.

A message is a row, so it is committed together with what it tells of or not at all, and nobody waits for Slack. The
deliverer claims channel and message by moving the time of their next attempt to the end of a lease, posts outside of
any transaction, and then writes what became of it, so that two workers never post the same message. One that dies
leaves it to the next worker after the lease. One gap no sender can close: when a worker dies, or its timeout passes,
after Slack took the message and before the mark is committed, the message is posted again. Incoming webhooks know no
key by which Slack could tell the repetition.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from reporting.alerts import slack
from reporting.models import SlackChannel, SlackMessage
from reporting.models.messages import SlackMessageQuerySet, slack_settings
from smplat.lib.backoff import pause_after
from smplat.lib.queueing import queue_task
from smplat.lib.times import database_now

logger = logging.getLogger(__name__)
State = SlackMessage.State
GIVE_UP_AFTER = timedelta(hours=24)
#: Slack takes one message a second and channel.
PACE = timedelta(seconds=1)
# A shift ends before the schedule starts the next one.
_SHIFT = timedelta(seconds=25)
# A message whose answer did not come in time may have arrived and is posted again, so a long timeout spares duplicates.
# Nobody waits here but a background thread.
_TIMEOUT_SECONDS = 45.0
#: For as long a worker has a message to itself; one that posts is done by then.
LEASE = timedelta(seconds=90)


def put(dedupe_key: str, webhook: str, text: str) -> None:
    """Write a message, which goes out once the transaction that it belongs to has committed.

    Does nothing when the setting ``webhook`` is not set, or a message with ``dedupe_key`` was written before. A broker
    that cannot be reached delays the message until the schedule's next look at the outbox, and fails nothing.

    Args:
        dedupe_key: names what the message tells of, such as ``followup:<uuid>``.
        webhook: the setting that holds the webhook's URL.
        text: the message in Slack's markup, its variable parts escaped.
    """
    if not getattr(settings, webhook):
        return
    message = SlackMessage(dedupe_key=dedupe_key, webhook=webhook, text=text, created_at=Now(), next_attempt_at=Now())
    SlackMessage.objects.bulk_create([message], ignore_conflicts=True)
    transaction.on_commit(partial(queue_task, "reporting.deliver_slack"), robust=True)


def deliver(now: Callable[[], datetime] = database_now, pause: Callable[[float], None] = time.sleep) -> int:
    """Post what is due, at most one message a second to each channel, until nothing is or the shift ends.

    A worker that finds a channel taken or paused leaves it alone: whoever posted last looks for more a second later,
    and the schedule looks every half minute.

    Args:
        now: the clock; claims and pauses hold for all workers, so it is the one that they share.
        pause: sleeps for a number of seconds.

    Returns:
        How many messages Slack took.
    """
    channels, sent = _channels(), 0
    # A message whose setting was emptied goes too, so that a later webhook does not get old news.
    orphans = SlackMessage.objects.exclude(webhook__in=list(chain.from_iterable(channels.values())))
    _give_up_old(orphans, "The setting that names the webhook is empty", now())
    end = now() + _SHIFT
    while now() < end:
        answers = [_post_next(url, webhooks, now) for url, webhooks in channels.items()]
        if not any(answers):
            break
        sent += sum(answer is not None and answer.problem is None for answer in answers)
        pause(PACE.total_seconds())
    return sent


def _channels() -> dict[str, list[str]]:
    """The settings that hold each webhook; several may hold the same one, which is one channel then."""
    channels: dict[str, list[str]] = {}
    for webhook, _ in slack_settings():
        if url := getattr(settings, webhook):
            channels.setdefault(url, []).append(webhook)
    return channels


def _post_next(url: str, webhooks: list[str], now: Callable[[], datetime]) -> slack.Answer | None:
    """Post the next message of a channel; None when none is due, the channel is paused, or another worker has it.

    The channel's claim keeps its messages apart. The message's own claim counts while workers run with different
    settings, so that one message belongs to two channels.
    """
    due = SlackMessage.objects.due(webhooks, now())
    if not due.exists():
        return None
    fingerprint = hashlib.sha256(url.encode()).hexdigest()
    SlackChannel.objects.get_or_create(pk=fingerprint, defaults={"opens_at": now()})
    lease = now() + LEASE
    if not SlackChannel.objects.claim(fingerprint, now(), lease):
        return None
    message = SlackMessage.objects.claim_next(webhooks, now(), lease)
    if message is None:
        SlackChannel.objects.claimed(fingerprint, lease).update(opens_at=now())
        return None
    answer = slack.post(url, message.text, _TIMEOUT_SECONDS)
    with transaction.atomic():
        _settle(message, answer, now())
        if _pace(fingerprint, lease, answer, now()):
            _give_up_old(SlackMessage.objects.filter(webhook__in=webhooks), answer.problem or "", now())
    return answer


def _settle(message: SlackMessage, answer: slack.Answer, now: datetime) -> None:
    """Write what became of a message that this worker has claimed."""
    changes = {"attempts": message.attempts + 1, "problem": answer.problem or ""}
    if answer.problem is None:
        # It is sent, whoever may have claimed it since.
        waiting = SlackMessage.objects.filter(pk=message.pk, state=State.WAITING)
        waiting.update(**changes, state=State.SENT, sent_at=now)
        return
    claimed = SlackMessage.objects.claimed(message)
    if not answer.is_refusal:
        claimed.update(**changes, next_attempt_at=now + _wait_after(answer, message.attempts + 1))
    elif claimed.update(**changes, state=State.GIVEN_UP):
        logger.error("Slack message %s is given up: %s", message.dedupe_key, answer.problem)


def _pace(fingerprint: str, lease: datetime, answer: slack.Answer, now: datetime) -> bool:
    """Close the channel for a second after a message, for longer while it fails; return whether it does."""
    is_failing = answer.problem is not None and not answer.is_refusal
    channel = SlackChannel.objects.get(pk=fingerprint)
    failures = channel.failures + 1 if is_failing else 0
    opens_at = now + (_wait_after(answer, failures) if is_failing else PACE)
    SlackChannel.objects.claimed(fingerprint, lease).update(failures=failures, opens_at=opens_at)
    return is_failing


def _wait_after(answer: slack.Answer, failures: int) -> timedelta:
    """What Slack asks for, else a pause that grows."""
    return pause_after(failures) if answer.retry_after is None else max(answer.retry_after, PACE)


def _give_up_old(messages: SlackMessageQuerySet, problem: str, now: datetime) -> None:
    if count := messages.give_up(now - GIVE_UP_AFTER, problem):
        logger.error("%d Slack messages are given up after a day: %s", count, problem)
