"""Where alerts go: Slack, and what ``ALERT_URLS`` names. One module is one kind of channel.

A further kind is a module with a ``channel`` function, and a line in ``_BY_SCHEME``.
"""

import hashlib
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings

from reporting.alerts.channels import chat, email, service, webhook
from reporting.alerts.channels.send import Send

#: What a channel may take for one message, in seconds.
TIMEOUT_SECONDS = 10.0


_BY_SCHEME: dict[str, Callable[[str], Send]] = {
    "mailto": email.channel,
    "http": webhook.channel,
    "https": webhook.channel,
}


def channels() -> dict[str, Send]:
    """The channels of the settings, by names that carry no secret."""
    found = {"Slack": chat.channel(settings.SLACK_WEBHOOK_URL)} if settings.SLACK_WEBHOOK_URL else {}
    for url in settings.ALERT_URLS:
        kind = _BY_SCHEME.get(urlsplit(url).scheme, service.channel)
        found[name_of(url)] = kind(url)
    return found


def name_of(url: str) -> str:
    """The name of a channel: the address of a mail, the host of a webhook, else the scheme."""
    parts = urlsplit(url)
    if parts.scheme == "mailto":
        return parts.path
    # The digest tells two of one place apart.
    place = parts.hostname if parts.scheme in _BY_SCHEME else parts.scheme
    return f"{place} ({hashlib.sha256(url.encode()).hexdigest()[:6]})"
