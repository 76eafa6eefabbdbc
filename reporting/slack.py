"""Messages to Slack's incoming webhooks."""

import logging

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

logger = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 5.0
_ATTEMPTS = 3


def escape(text: str) -> str:
    """``text`` with Slack's three control characters escaped, so that it can neither ping anyone nor forge a link.

    Source: Slack's documentation, "Formatting text for app surfaces", section "Escaping text".
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(webhook: str, text: str) -> str | None:
    """Post ``text`` to ``webhook``; never raises for what Slack or the network do.

    Args:
        webhook: the incoming webhook's URL; it is a secret and is never logged.
        text: the message in Slack's markup, its variable parts escaped.

    Returns:
        None when Slack took the message, else what went wrong.
    """
    attempts = Retrying(
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential_jitter(initial=0.5, max=4),
        retry=retry_if_exception_type(httpx.TransportError),
        reraise=True,
    )
    try:
        answer = attempts(httpx.post, webhook, json={"text": text}, timeout=_TIMEOUT_SECONDS, follow_redirects=False)
    except httpx.HTTPError as error:
        problem = f"Slack could not be reached ({type(error).__name__})"
    else:
        if answer.is_success:
            return None
        problem = f"Slack answered {answer.status_code}"
    logger.warning("%s", problem)
    return problem
