"""Alerts by e-mail, by Django's settings for it (``EMAIL_URL``, ``DEFAULT_FROM_EMAIL``)."""

from collections.abc import Mapping
from smtplib import SMTPException
from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.mail import EmailMessage, get_connection

from reporting.alerts.channels.send import Send


def channel(url: str) -> Send:
    """A channel that sends to the address of a ``mailto:`` URL."""
    address = unquote(urlsplit(url).path)

    def send(subject: str, text: str, document: Mapping[str, Any], timeout: float) -> str:
        # Of several lines, a subject would be refused as an attempt to add headers.
        subject, server = " ".join(subject.split()), get_connection(timeout=timeout)
        message = EmailMessage(subject, text, to=[address], connection=server)
        try:
            message.send()
        except (SMTPException, OSError) as error:
            return f"The mail server did not take the message ({type(error).__name__})."
        return ""

    return send
