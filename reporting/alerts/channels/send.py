"""What a channel is: a function that sends one message."""

from collections.abc import Mapping
from typing import Any, Protocol


class Send(Protocol):
    """Sends one message."""

    def __call__(self, subject: str, text: str, document: Mapping[str, Any], timeout: float) -> str:
        """Return what went wrong, as a sentence without a secret; empty where the channel took the message.

        Args:
            subject: what it is about, in a line.
            text: what happened, and where to look.
            document: the same for machines; values that JSON can hold.
            timeout: seconds for the whole of it.
        """
