"""Failed sign-ins, counted by account and by address, and how long they then have to wait.

An attempt is counted before its password is looked at, and a success takes the counts of its account and address back.
So attempts that come at once cannot outrun the limits, and what is refused costs no hashing of a password.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_

from axes.models import AccessAttempt
from django.db import connection, transaction
from django.db.models import F, Max, Q, Sum

#: An account and address without a failure for so long start anew.
MEMORY = timedelta(days=1)
#: For how long an attempt waits for another one to be counted.
LOCK_TIMEOUT_SECONDS = 5
_FIRST_WAIT, _MAX_WAIT = timedelta(minutes=5), timedelta(hours=1)
# Any number that no other use of one-part advisory locks in this database takes.
_LOCK = 0x5369676E496E
_NONE = timedelta()


@dataclass(frozen=True)
class Limit:
    """How many failures make an account, an address or both wait.

    Attributes:
        name: what it counts, as the audit log says it.
        columns: what attempts have in common that are counted together.
        max_failures: the failure that begins the first wait.
    """

    name: str
    columns: tuple[str, ...]
    max_failures: int

    def wait_after(self, failures: int) -> timedelta:
        """How long nothing is tried after so many failures: 5 minutes, doubled with each one more, at most an hour."""
        over = failures - self.max_failures
        return min(_FIRST_WAIT * 2 ** min(over, 10), _MAX_WAIT) if over >= 0 else _NONE


LIMITS = (
    Limit("account and address", ("username", "ip_address"), 5),
    # An office can be one address.
    Limit("address", ("ip_address",), 20),
    # High, since whoever reaches it keeps the account's owner out as well.
    Limit("account", ("username",), 100),
)


@dataclass(frozen=True)
class LockOut:
    """A time for which nothing is tried, and the limit that was reached."""

    limit: Limit
    wait: timedelta


#: A limit, how many failures it counts, and the time of the last.
_Standing = tuple[Limit, int, datetime | None]


class LockedOutError(Exception):
    """The account, the address or both have to wait.

    Attributes:
        wait: for how long.
    """

    def __init__(self, wait: timedelta) -> None:
        super().__init__(wait)
        self.wait = wait


def count(account: str, address: str | None, now: datetime) -> LockOut | None:
    """Count an attempt, and return the longest lock-out that begins if it fails.

    Args:
        account: the name that was given, of an account or not.
        address: the client's; None where it has none.
        now: the time of the attempt.

    Raises:
        LockedOutError: a lock-out has begun before; the attempt is not counted.
        django.db.Error: it cannot be counted.
    """
    # Whoever is locked out keeps nobody else waiting for the lock.
    _refuse(_standing(account, address, now), now)
    with one_at_a_time():
        standing = _standing(account, address, now)
        _refuse(standing, now)
        AccessAttempt.objects.filter(attempt_time__lte=now - MEMORY).delete()
        _add(account, address, now)
    begun = [LockOut(limit, limit.wait_after(failures + 1)) for limit, failures, _ in standing]
    longest = max(begun, key=lambda one: one.wait)
    return longest if longest.wait else None


def take_back(account: str, address: str | None) -> None:
    """Uncount an attempt whose password was right, where it is not over yet: what follows is counted by itself."""
    with one_at_a_time():
        attempts = AccessAttempt.objects.filter(username=account, ip_address=address)
        attempts.update(failures_since_start=F("failures_since_start") - 1)
        attempts.filter(failures_since_start=0).delete()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """A transaction that overlaps no other one that counts attempts, across all processes.

    Raises:
        django.db.OperationalError: another one has lasted for 5 seconds.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_TIMEOUT_SECONDS}s"])
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def _standing(account: str, address: str | None, now: datetime) -> list[_Standing]:
    """What has been counted for each limit."""
    given = {"username": account, "ip_address": address}
    alike = [Q(**{column: given[column] for column in limit.columns}) for limit in LIMITS]
    found = AccessAttempt.objects.filter(reduce(or_, alike), attempt_time__gt=now - MEMORY).aggregate(
        **{f"failures{i}": Sum("failures_since_start", filter=these, default=0) for i, these in enumerate(alike)},
        **{f"last{i}": Max("attempt_time", filter=these) for i, these in enumerate(alike)},
    )
    return [(limit, found[f"failures{i}"], found[f"last{i}"]) for i, limit in enumerate(LIMITS)]


def _refuse(standing: list[_Standing], now: datetime) -> None:
    """Raise LockedOutError where a lock-out lasts."""
    # Another attempt may have begun later and been counted before.
    waits = (limit.wait_after(failures) - max(now - last, _NONE) for limit, failures, last in standing if last)
    if (wait := max(waits, default=_NONE)) > _NONE:
        raise LockedOutError(wait)


def _add(account: str, address: str | None, now: datetime) -> None:
    attempt, is_first = AccessAttempt.objects.get_or_create(
        username=account, ip_address=address, user_agent="", defaults={"failures_since_start": 1}
    )
    failures = 1 if is_first else F("failures_since_start") + 1
    # The time is given here, since a new row takes it from the clock of its own making.
    AccessAttempt.objects.filter(pk=attempt.pk).update(failures_since_start=failures, attempt_time=now)
