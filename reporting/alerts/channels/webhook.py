"""Alerts to any http(s) address, as JSON, signed by the Standard Webhooks scheme with ``ALERT_WEBHOOK_SECRET``."""

from collections.abc import Mapping
from typing import Any

import httpx
import orjson
from django.conf import settings
from django.utils import timezone

from reporting.alerts.channels.send import Send
from smplat.lib import outgoing, signing

_MAX_BYTES_READ = 4_096


def channel(url: str) -> Send:
    """A channel that posts to an address."""

    def send(subject: str, text: str, document: Mapping[str, Any], timeout: float) -> str:
        body = orjson.dumps({"subject": subject, "text": text, **document})
        headers = {
            "Content-Type": "application/json",
            **signing.signed_headers(body, settings.ALERT_WEBHOOK_SECRETS, timezone.now()),
        }
        try:
            answer = outgoing.ask(
                "POST", url, content=body, headers=headers, timeout=timeout, max_bytes=_MAX_BYTES_READ
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return f"The address could not be reached ({type(error).__name__})."
        return "" if answer.is_success else f"The address answered {answer.status}."

    return send
