"""What django-axes asks and tells: whether an attempt may be made, and that one has failed."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.contrib.auth import get_user_model
from django.db import Error
from django.http import HttpRequest

from reporting.models import AuditEntry
from smplat.lib.clients import address
from smplat.signin.counting import LockedOutError, LockOut, count

logger = logging.getLogger(__name__)
# Longer than any name that an account can have, and as long as the column.
_MAX_NAME_LENGTH = 255
_OUTAGE = timedelta(minutes=1)


@dataclass(frozen=True)
class Refusal:
    """Why a sign-in was refused without a look at the password, and when to try again."""

    status: int
    text: str
    wait: timedelta


class LimitsHandler(AxesDatabaseHandler):
    """Counts attempts before they are made, and tells the audit log of lock-outs.

    What follows an attempt finds on the request `lock_out`, which begins if the attempt fails, and `refusal`.
    """

    def is_allowed(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        """Count the attempt, and return whether its password is looked at.

        What cannot be counted is refused: a database that takes no count takes no session either.
        """
        request.lock_out = request.refusal = None
        try:
            request.lock_out = count(_account(credentials), request.axes_ip_address, request.axes_attempt_time)
        except LockedOutError as error:
            request.refusal = _locked(error.wait)
        except Error as error:
            logger.error("Sign-ins are refused, they cannot be counted (%s)", type(error).__name__)  # noqa: TRY400
            request.refusal = Refusal(503, "Sign-in isn't available right now. Try again in a minute.", _OUTAGE)
        return request.refusal is None

    def user_login_failed(self, sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any) -> None:
        """Begin the lock-out of which the count has said that a failure begins it."""
        if lock_out := getattr(request, "lock_out", None):
            request.axes_locked_out = True
            request.refusal = _locked(lock_out.wait)
            _tell(lock_out, _account(credentials), request.axes_ip_address)


def client_address(request: HttpRequest) -> str | None:
    """The address by which attempts are counted, None where there is none."""
    return address(request) or None


def _account(credentials: dict[str, Any] | None) -> str:
    name = str((credentials or {}).get("username") or "")
    return name.replace("\0", "")[:_MAX_NAME_LENGTH]


def _locked(wait: timedelta) -> Refusal:
    minutes = -(-wait // timedelta(minutes=1))
    return Refusal(429, f"Too many failed sign-ins. Try again in {minutes} minute{'s'[: minutes > 1]}.", wait)


def _tell(lock_out: LockOut, account: str, address: str | None) -> None:
    """Note a lock-out; a name that is no account may be a password in the wrong field, and is not kept."""
    is_known = "username" in lock_out.limit.columns and get_user_model().objects.filter(username=account).exists()
    seconds = int(lock_out.wait.total_seconds())
    details = {"limit": lock_out.limit.name, "address": address, "seconds": seconds}
    subject = account if is_known else address or "a client without an address"
    AuditEntry.objects.log(None, AuditEntry.Action.LOCK_OUT, subject, **details)
    logger.warning("Too many failed sign-ins by %s: %s locked for %d s", address, lock_out.limit.name, seconds)
