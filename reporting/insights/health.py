"""The verdict: all that is wrong with the desk now, worst first, the same for pages, API, metrics and alerts.

Schedulers and workers take turns in looking (:mod:`smplat.signs`), each look through all causes of
:mod:`reporting.insights.causes`, and the table of findings holds what the newest one found. So a page reads a few rows
whatever the causes cost, and each finding has its history. What the table cannot say, since nobody would write it, is
that nobody looks: that is found anew by every reader. docs/adr/0025-one-verdict.md tells more.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from reporting.alerts import telling
from reporting.insights import causes
from reporting.models.beats import Beat
from reporting.models.findings import LOOK_EVERY, Finding, HealthLook, Kind
from smplat.lib.times import database_now

logger = logging.getLogger(__name__)
#: A look that did not end for so long says that nobody looks.
UNCHECKED_AFTER = timedelta(minutes=2)
# Found anew by every reader.
_LIVE = (Kind.NO_WORKER, Kind.NO_SCHEDULER, Kind.NO_CHECKS)


def findings() -> list[Finding]:
    """All that is wrong now, worst first; by four queries at most."""
    kept = Finding.objects.open().exclude(kind__in=_LIVE)
    return sorted([*kept, *_unattended()], key=lambda finding: finding.rank)


def _unattended() -> list[Finding]:
    """Processes that are missing; where none is, whether looks come to an end all the same."""
    if missing := list(causes.processes()):
        return missing
    has_ended = HealthLook.objects.filter(ended_at__gt=Now() - UNCHECKED_AFTER)
    # A desk that has just started has had no time for a look.
    could_look = Beat.objects.alive_since(UNCHECKED_AFTER)
    if has_ended.exists() or not could_look.exists():
        return []
    sentence = "The checks of the desk do not complete, so this page may miss something. See the worker's log."
    return [Finding(kind=Kind.NO_CHECKS, sentence=sentence, since=database_now() - UNCHECKED_AFTER)]


def look_in_turn() -> bool:
    """Look at the desk, unless somebody has within the last half minute; return whether it was looked at.

    Raises:
        Exception: whatever a cause raises; the findings stay as they were.
    """
    started = _begin(Q(begun_at__lte=Now() - LOOK_EVERY))
    return started is not None and _look(started)


def look() -> None:
    """Look at the desk now, since something has happened that may have changed the verdict."""
    if started := _begin(Q()):
        _look(started)


def _begin(condition: Q) -> datetime | None:
    """Take the next look, where ``condition`` allows it; return when it began, by the database's clock."""
    now = database_now()
    HealthLook.objects.bulk_create([HealthLook(begun_at=now - LOOK_EVERY)], ignore_conflicts=True)
    return now if HealthLook.objects.filter(condition, begun_at__lt=now).update(begun_at=now) else None


def _look(started: datetime) -> bool:
    found = {(finding.kind, finding.feed): finding for cause in causes.CAUSES for finding in cause()}
    with transaction.atomic():
        # The row is locked until the commit. Where another look has begun meanwhile, it has seen more.
        if not HealthLook.objects.filter(begun_at=started).update(ended_at=Now()):
            return False
        _keep(found.values())
    return True


def _keep(found: Iterable[Finding]) -> None:
    """Write what was found, and who is to be notified: findings that begin, go on or end."""
    held = {(finding.kind, finding.feed): finding for finding in Finding.objects.open()}
    ended = dict(held)
    for finding in found:
        before = ended.pop((finding.kind, finding.feed), None)
        if before is None:
            finding.save()
            held[finding.kind, finding.feed] = finding
            logger.warning("found: %s: %s", finding, finding.sentence)
        elif (before.sentence, before.url) != (finding.sentence, finding.url):
            before.sentence, before.url = finding.sentence, finding.url
            before.save(update_fields=["sentence", "url"])
    now = database_now()
    for key, finding in ended.items():
        del held[key]
        finding.ended_at = now
        finding.save(update_fields=["ended_at"])
        logger.info("ended: %s", finding)
    telling.note(held.values(), ended.values(), now)
