"""How many wrong API keys an address may try."""

import logging
from contextlib import suppress

from django.http import HttpRequest

from smplat.lib import minutes
from smplat.lib.clients import address

#: In a minute of the clock.
MAX_WRONG_KEYS = 60
logger = logging.getLogger(__name__)


def seconds_to_wait(request: HttpRequest) -> float | None:
    """Seconds until the address may try a key again, None where it may now.

    Where the shared counters cannot be reached, holders of a key are worth more than the limit: they pass.
    """
    try:
        is_over = minutes.count(_name(request), times=0) >= MAX_WRONG_KEYS
    except minutes.UnreachableError as error:
        logger.warning("Wrong API keys are not limited, the counters cannot be reached: %s", error)
        return None
    return minutes.seconds_left() if is_over else None


def count(request: HttpRequest) -> None:
    """Count a wrong key of the request's address, in this minute of the clock."""
    with suppress(minutes.UnreachableError):
        if minutes.count(_name(request)) == MAX_WRONG_KEYS:
            logger.warning("%s has tried %d wrong API keys and is refused for now", address(request), MAX_WRONG_KEYS)


def _name(request: HttpRequest) -> str:
    return f"wrong-keys:{address(request)}"
