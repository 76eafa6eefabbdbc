"""Checks of the settings of alerts, which take too much to import for every start."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

_OWN = {"mailto", "http", "https"}


@register()
def check_alert_urls(app_configs: object, **_: Any) -> list[CheckMessage]:
    """Check that something can be sent to each of ``ALERT_URLS``; the addresses themselves are secrets."""
    urls = [(number, url, urlsplit(url).scheme) for number, url in enumerate(settings.ALERT_URLS, 1)]
    return [
        Error(
            f"ALERT_URLS: number {number} of them, {scheme}://…, is not an address that Apprise knows.",
            hint="See https://github.com/caronc/apprise/wiki for the form of each service's address.",
            id="reporting.E101",
        )
        for number, url, scheme in urls
        if scheme not in _OWN and not _is_known(url)
    ]


def _is_known(url: str) -> bool:
    # Every process imports this module, and few look at the checks.
    from reporting.alerts.channels.service import is_known

    return is_known(url)
