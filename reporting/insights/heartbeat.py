"""A dead man's switch: ``HEARTBEAT_URL`` is called each minute while all is well, so that silence tells of a dead host.

The protocol is that of Healthchecks (https://healthchecks.io/docs/http_api/): the address itself says that all is well,
``/start`` that the desk has started, and ``/fail`` that something is wrong, with what it is in the body.
"""

import logging
from datetime import timedelta

import httpx
from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from reporting.insights import health
from reporting.models import HealthLook
from smplat.lib import outgoing

logger = logging.getLogger(__name__)
EVERY = timedelta(minutes=1)
_TIMEOUT_SECONDS, _MAX_BYTES_READ = 10.0, 1_024


def start() -> None:
    """Say that the desk has started."""
    if settings.HEARTBEAT_URL:
        _call("/start", "")


def beat() -> None:
    """Say how the desk is, unless another process has within the last minute."""
    due = Q(reported_at__isnull=True) | Q(reported_at__lte=Now() - EVERY)
    if not settings.HEARTBEAT_URL or not HealthLook.objects.filter(due).update(reported_at=Now()):
        return
    found = health.findings()
    _call("/fail" if found else "", "\n".join(f"{finding}: {finding.sentence}" for finding in found))


def _call(path: str, text: str) -> None:
    """Call the address; one that cannot be reached is logged without it, since it is a secret."""
    try:
        answer = outgoing.ask(
            "POST",
            f"{settings.HEARTBEAT_URL.rstrip('/')}{path}",
            content=text.encode(),
            timeout=_TIMEOUT_SECONDS,
            max_bytes=_MAX_BYTES_READ,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        logger.warning("HEARTBEAT_URL could not be reached: %s", type(error).__name__)
        return
    if not answer.is_success:
        logger.warning("HEARTBEAT_URL answered %s", answer.status)
