"""Forwarding of captured bodies to ``TELEMETRY_ENDPOINT``, which may take events that no feed stores."""

import base64
import logging

import httpx
from django.conf import settings
from kombu.exceptions import OperationalError

from telemetry.tasks import forward

logger = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 10.0


def queue(content: bytes, content_type: str) -> None:
    """Queue ``content`` to be forwarded, where an endpoint is set; never fails the capture that calls it."""
    if not settings.TELEMETRY_ENDPOINT:
        return
    try:
        forward.delay(base64.b64encode(content).decode(), content_type)
    except (OperationalError, OSError) as error:
        logger.warning("A telemetry body is not forwarded, the broker cannot be reached: %s", type(error).__name__)


def send(content: bytes, content_type: str) -> None:
    """Post ``content`` to ``TELEMETRY_ENDPOINT``; redirects are not followed.

    Raises:
        httpx.HTTPError: the endpoint cannot be reached or does not answer with a 2xx.
    """
    answer = httpx.post(
        settings.TELEMETRY_ENDPOINT,
        content=content,
        headers={"Content-Type": content_type},
        timeout=_TIMEOUT_SECONDS,
        follow_redirects=False,
    )
    if answer.is_redirect:
        raise httpx.HTTPStatusError("redirected", request=answer.request, response=answer)
    answer.raise_for_status()
