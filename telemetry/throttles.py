"""The throttle of the public capture routes."""

import logging

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from smplat.lib import minutes

logger = logging.getLogger(__name__)


class CaptureThrottle(SimpleRateThrottle):
    """Lets a client address post ``TELEMETRY_THROTTLE`` requests in each minute of the clock.

    Where the shared counters cannot be reached, events are worth more than the limit: the request passes.
    """

    rate = "1/min"

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request and return whether it is within the limit."""
        if settings.TELEMETRY_THROTTLE == 0:
            return True
        try:
            return minutes.count(cache, f"capture:{self.get_ident(request)}") <= settings.TELEMETRY_THROTTLE
        except (RedisError, ValueError) as error:
            logger.warning("Capture is not throttled, the counters cannot be reached: %s", type(error).__name__)
            return True

    def wait(self) -> float:
        """Seconds until the next window begins; they become the answer's Retry-After."""
        return minutes.seconds_left()
