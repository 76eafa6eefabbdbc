"""Messages by the Standard Webhooks scheme: signing, sending with bounded retries, and verifying.

Source: the specification of Standard Webhooks, version 1.0.0 (headers, signature scheme, retries and the meaning of
answers). Messages and secrets are its symmetric kind: HMAC-SHA256, secrets that start with ``whsec_``.
"""

import logging
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from smplat.lib import outgoing
from smplat.lib.addresses import without_secrets
from smplat.lib.signing import signed_headers

logger = logging.getLogger(__name__)
ATTEMPTS = 5
#: For the whole of an attempt.
TIMEOUT_SECONDS = 30.0
#: A longer wait than this would hold up the next run; that one comes back anyway.
MAX_RETRY_AFTER = timedelta(seconds=120)
_MAX_BACKOFF_SECONDS = 30.0
_MAX_EXCERPT_LENGTH = 200
_MAX_BYTES_READ = 4_096


class DeliveryError(RuntimeError):
    """The receiver did not take a message; the text ends a sentence that starts with the receiver's name."""


class RetryableError(DeliveryError):
    """The receiver did not take a message, but may take it later."""

    def __init__(self, problem: str, retry_after: timedelta | None = None) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


class GoneError(DeliveryError):
    """The receiver wants no message any more."""


@dataclass(frozen=True)
class Receiver:
    """Where messages go.

    Attributes:
        url: the address; it may carry a secret, and is never logged.
        secrets: the secrets to sign with.
        timeout: seconds that an attempt may take, from connecting to the end of the answer.
        sleep: waits a number of seconds between two attempts.
    """

    url: str = field(repr=False)
    secrets: Sequence[str] = field(repr=False)
    timeout: float = TIMEOUT_SECONDS
    sleep: Callable[[float], None] = time.sleep

    def send(self, body: bytes) -> None:
        """Send a message, again where the receiver cannot be reached, is overloaded (429) or broken (5xx).

        Raises:
            DeliveryError: the receiver did not take it.
            GoneError: it never will (410).
        """
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception_type(RetryableError),
            sleep=self.sleep,
            before_sleep=_log_retry,
            reraise=True,
        )
        try:
            retrying(self._attempt, body)
        except RetryableError as error:
            raise DeliveryError(f"{error}, the last of {ATTEMPTS} attempts") from error

    def _attempt(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        # The time of the attempt is signed, since receivers refuse what is older than five minutes.
        headers |= signed_headers(body, self.secrets, datetime.now(UTC))
        try:
            answer = outgoing.ask(
                "POST", self.url, content=body, headers=headers, timeout=self.timeout, max_bytes=_MAX_BYTES_READ
            )
        except httpx.TransportError as error:
            raise RetryableError(f"could not be reached ({type(error).__name__})") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryError(f"cannot be used ({type(error).__name__})") from error
        _judge(answer, without_secrets(_one_line(answer.body), self.url)[:_MAX_EXCERPT_LENGTH])


def _one_line(content: bytes) -> str:
    text = content.decode(errors="replace")
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _judge(answer: outgoing.Answer, excerpt: str) -> None:
    if answer.is_success:
        return
    status = answer.status
    problem = f"answered {status}{f': {excerpt}' if excerpt else ''}"
    if status == httpx.codes.GONE:
        raise GoneError(problem)
    if answer.may_change:
        raise RetryableError(problem, _retry_after(answer.headers.get("Retry-After", "")))
    if httpx.codes.is_redirect(status):
        raise DeliveryError(f"answered {status}, and redirects are not followed; set the final address")
    raise DeliveryError(problem)


def _retry_after(given: str) -> timedelta | None:
    """How long the receiver asks to be left alone, in seconds or until a date; None where it does not say."""
    if re.fullmatch(r"[0-9]{1,9}", given):
        return min(timedelta(seconds=int(given)), MAX_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(given).astimezone(UTC) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta()), MAX_RETRY_AFTER)


def _wait(state: RetryCallState) -> float:
    """The seconds until the next attempt: what the receiver asks for, else 1, 2, 4, … and up to one more by chance."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RetryableError) and error.retry_after is not None:
        return error.retry_after.total_seconds()
    return min(2.0 ** (state.attempt_number - 1), _MAX_BACKOFF_SECONDS) + random.random()


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    logger.warning("A webhook %s; next attempt in %.0f s", error, state.upcoming_sleep)
