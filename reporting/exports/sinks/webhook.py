"""The sink that posts rows to a webhook."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Literal

from django.db import DatabaseError

from reporting.exports.sinks import Limits, SinkError
from reporting.feeds import Feed
from reporting.feeds.lines import Line
from reporting.models import WebhookDestination
from reporting.webhooks import sending

logger = logging.getLogger(__name__)
MAX_ROWS = 1_000
MAX_BYTES = 1_048_576


class WebhookSink:
    """Posts each batch as one signed message. Confirmed means: the receiver answered it with a 2xx.

    A receiver that answers 410 is left alone from then on, until an operator enables it again.
    """

    confirms_each: Literal[True] = True

    def __init__(
        self,
        feed: Feed,
        url: str,
        setting_name: str,
        secrets: Sequence[str],
        *,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = sending.TIMEOUT_SECONDS,
        has_database: bool = True,
    ) -> None:
        """Make a sink, which sends nothing before the first batch.

        Args:
            feed: the feed of the rows, which come in wire shape.
            url: where messages go; it may carry a secret, and is never logged.
            setting_name: the setting or flag that holds the URL, which names the receiver in errors.
            secrets: what messages are signed with; none leaves them unsigned.
            sleep: waits a number of seconds between two attempts.
            timeout: seconds that an attempt may take.
            has_database: whether this host can remember that a receiver is gone.

        Raises:
            SinkError: the receiver was gone at an earlier run, or the feed has no webhook.
        """
        if feed.webhook_key is None:
            raise SinkError(f"{feed.label} cannot be sent to a webhook")
        if has_database and (disabled := WebhookDestination.objects.disabled().filter(pk=setting_name).first()):
            raise SinkError(_disabled_text(disabled.name, disabled.reason))
        self._head, self._tail = b'{"' + feed.webhook_key.encode() + b'":[', b"]}"
        # The rows of the largest batch fill the message to the last byte, the commas between them included.
        envelope = len(self._head) + len(self._tail) + MAX_ROWS - 1
        self.limits = Limits(rows=MAX_ROWS, bytes=MAX_BYTES - envelope)
        self._name, self._has_database = setting_name, has_database
        self._receiver = sending.Receiver(url, tuple(secrets), timeout, sleep)

    def write(self, lines: list[Line]) -> None:
        """Send a batch, again where that may help.

        Raises:
            SinkError: the receiver did not take it.
        """
        body = self._head + b",".join([line.json for line in lines]) + self._tail
        if len(body) > MAX_BYTES:
            raise SinkError(
                f"a message of {len(body):,} bytes, from row {lines[0].key} on, is larger than the"
                f" {MAX_BYTES:,} bytes that receivers take"
            )
        try:
            self._receiver.send(body)
        except sending.GoneError as error:
            self._disable(str(error))
            raise SinkError(_disabled_text(self._name, str(error))) from error
        except sending.DeliveryError as error:
            raise SinkError(f"the webhook of {self._name} {error}") from error

    def abort(self) -> None:
        """Do nothing: what was sent cannot be taken back."""

    def _disable(self, reason: str) -> None:
        if not self._has_database:
            return
        try:
            WebhookDestination.objects.disable(self._name, reason)
        except DatabaseError:
            # The next run asks the receiver again, and learns the same.
            logger.exception("The webhook of %s could not be disabled", self._name)


def _disabled_text(name: str, reason: str) -> str:
    return (
        f"the webhook of {name} {reason}, which means that it wants no message any more; enable it in the admin,"
        " under webhook destinations, when that has changed"
    )
