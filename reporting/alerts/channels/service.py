"""Alerts to any of the services that Apprise speaks to."""

import threading
from collections.abc import Mapping
from typing import Any

from reporting.alerts.channels.send import Send

_hanging: dict[str, threading.Thread] = {}


def is_known(url: str) -> bool:
    """Whether Apprise can send to ``url``."""
    # Large, so only who sends or checks an address imports it.
    import apprise

    return bool(apprise.Apprise.instantiate(url))


def channel(url: str) -> Send:
    """A channel that sends to an address of Apprise's."""

    def send(subject: str, text: str, document: Mapping[str, Any], timeout: float) -> str:
        outcome: list[bool] = []
        # Apprise has no deadline for the whole, so a service that hangs keeps a thread of its own, and one alone.
        if url in _hanging and _hanging[url].is_alive():
            return "The service still hangs over an earlier message."
        sender = threading.Thread(target=lambda: outcome.append(_notify(url, subject, text)), daemon=True)
        _hanging[url] = sender
        sender.start()
        sender.join(timeout)
        if not outcome:
            return f"No answer within {timeout:.0f} s." if sender.is_alive() else "The service could not be asked."
        return "" if outcome[0] else "The service did not take the message."

    return send


def _notify(url: str, subject: str, text: str) -> bool:
    import apprise

    service = apprise.Apprise()
    service.add(url)
    return bool(service.notify(body=text, title=subject))
