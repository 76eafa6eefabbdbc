"""Messages to Slack's incoming webhooks."""

import logging
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

if TYPE_CHECKING:
    from smplat.lib import outgoing

logger = logging.getLogger(__name__)
_MAX_BYTES_READ = 4_096
# Slack asks for seconds; a longer wait than this is rubbish, which must not silence a channel for days.
_MAX_RETRY_AFTER = timedelta(hours=1)
#: Statuses by which Slack refuses the message itself; anything else may pass, or be fixed by another webhook.
_REFUSALS = frozenset({400, 413})


@dataclass(frozen=True)
class Answer:
    """What became of a message.

    Attributes:
        problem: what went wrong; None when Slack took the message.
        retry_after: how long Slack asks to be left alone, where it does.
        is_refusal: whether Slack refuses this very message, so that it would refuse it again.
    """

    problem: str | None = None
    retry_after: timedelta | None = None
    is_refusal: bool = False


def escape(text: str) -> str:
    """``text`` with Slack's three control characters escaped, so that it can neither ping anyone nor forge a link.

    Source: Slack's documentation, "Formatting text for app surfaces", section "Escaping text".
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def one_line(text: str) -> str:
    """``text`` escaped and on one line, so that it cannot pretend to be another line of the message."""
    return escape(" ".join(text.split()))


def link(url: str, label: str) -> str:
    """A link with ``label``, both unescaped; the label alone where ``url`` is not http(s).

    Without that rule an address such as ``!channel`` would become a ping. White space and the characters that end an
    address or a link are percent-encoded.
    """
    if not re.match(r"https?://", url, re.IGNORECASE):
        return one_line(label)
    # Everything printable in ASCII is safe but `"<>\^`{|}` and the space, which no URL may hold (RFC 3986, section 2).
    address = quote(url, safe="!#$%&'()*+,/:;=?@[]~")
    return f"<{escape(address)}|{one_line(label)}>"


def post(webhook: str, text: str, timeout: float) -> Answer:
    """Post ``text`` to ``webhook``; never raises for what Slack or the network do.

    Args:
        webhook: the incoming webhook's URL; it is a secret and is never logged.
        text: the message in Slack's markup, its variable parts escaped.
        timeout: how many seconds it may take.
    """
    # Every export imports this module for the text of its message; the workers alone post it.
    import httpx

    from smplat.lib import outgoing

    content, headers = orjson.dumps({"text": text}), {"Content-Type": "application/json"}
    try:
        answer = _read(
            outgoing.ask("POST", webhook, content=content, headers=headers, timeout=timeout, max_bytes=_MAX_BYTES_READ)
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        answer = Answer(f"Slack could not be reached ({type(error).__name__})")
    if answer.problem:
        logger.warning("%s", answer.problem)
    return answer


def _read(response: "outgoing.Answer") -> Answer:
    if response.is_success:
        return Answer()
    return Answer(
        problem=f"Slack answered {response.status}",
        retry_after=_retry_after(response.headers.get("Retry-After", "")),
        is_refusal=response.status in _REFUSALS,
    )


def _retry_after(seconds: str) -> timedelta | None:
    if not re.fullmatch(r"[0-9]{1,9}", seconds):
        return None
    return min(timedelta(seconds=int(seconds)), _MAX_RETRY_AFTER)
