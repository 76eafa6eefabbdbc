"""The throttle of the public capture routes."""

import logging

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from smplat.lib import minutes
from smplat.lib.clients import address

logger = logging.getLogger(__name__)


def is_within_limit(address: str) -> bool:
    """Count a request of a client address, and return whether it is within ``TELEMETRY_THROTTLE`` a minute.

    Where the shared counters cannot be reached, events are worth more than the limit: the request passes.
    """
    if settings.TELEMETRY_THROTTLE == 0:
        return True
    try:
        return minutes.count(f"capture:{address}") <= settings.TELEMETRY_THROTTLE
    except minutes.UnreachableError as error:
        logger.warning("Capture is not throttled, the counters cannot be reached: %s", error)
        return True


class CaptureThrottle(SimpleRateThrottle):
    """Lets a client address post ``TELEMETRY_THROTTLE`` requests in each minute of the clock."""

    rate = "1/min"

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request and return whether it is within the limit."""
        return is_within_limit(address(request))

    def wait(self) -> float:
        """Seconds until the next window begins; they become the answer's Retry-After."""
        return minutes.seconds_left()
