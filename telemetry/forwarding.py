"""Forwarding of captured bodies to ``TELEMETRY_ENDPOINT``, which may take events that no feed stores."""

import base64
import logging

import httpx
from django.conf import settings

from smplat.lib import outgoing
from smplat.lib.queueing import queue_task

logger = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 10.0


def queue(content: bytes, content_type: str) -> None:
    """Queue ``content`` to be forwarded, where an endpoint is set; never fails the capture that calls it."""
    if settings.TELEMETRY_ENDPOINT:
        queue_task("telemetry.forward", base64.b64encode(content).decode(), content_type)


class RetryableError(RuntimeError):
    """The endpoint did not take the body, but may take it later."""


def send(content: bytes, content_type: str) -> None:
    """Post ``content`` to ``TELEMETRY_ENDPOINT``; redirects are not followed.

    An answer that will not change (a redirect, or a 4xx but 429) is logged, and the body is given up.

    Raises:
        RetryableError: the endpoint cannot be reached, answers with a 5xx, or asks to be left alone for a while (429).
    """
    try:
        answer = outgoing.ask(
            "POST",
            settings.TELEMETRY_ENDPOINT,
            content=content,
            headers={"Content-Type": content_type},
            timeout=_TIMEOUT_SECONDS,
            max_bytes=0,
        )
    except httpx.HTTPError as error:
        raise RetryableError(f"TELEMETRY_ENDPOINT cannot be reached ({type(error).__name__})") from error
    if answer.may_change:
        raise RetryableError(f"TELEMETRY_ENDPOINT answered {answer.status}")
    if not answer.is_success:
        logger.error("A telemetry body is given up: TELEMETRY_ENDPOINT answered %s", answer.status)
