"""Alerts in Slack, by the webhook of ``SLACK_WEBHOOK_URL``."""

from collections.abc import Mapping
from typing import Any

from reporting.alerts import slack
from reporting.alerts.channels.send import Send


def channel(url: str) -> Send:
    """A channel that posts to an incoming webhook."""

    def send(subject: str, text: str, document: Mapping[str, Any], timeout: float) -> str:
        problem = slack.post(url, f"*{slack.one_line(subject)}*\n{slack.escape(text)}", timeout).problem
        return f"{problem}." if problem else ""

    return send
