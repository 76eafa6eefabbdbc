"""Messages by the Standard Webhooks scheme: their ids, and their signatures."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class SignatureError(ValueError):
    """A message is not signed by anyone who knows a secret, or too old; the text says which."""


def message_id(body: bytes) -> str:
    """The id of a message, derived from its content, so that a retry carries the same one."""
    return f"msg_{hashlib.sha256(body).hexdigest()[:32]}"


def signed_headers(body: bytes, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of a message.

    Args:
        body: the message, in UTF-8.
        secrets: each gives a signature, so that a receiver which knows one of them can verify; none gives no signature.
        now: the time of the attempt, aware.
    """
    identifier = message_id(body)
    headers = {"webhook-id": identifier, "webhook-timestamp": str(int(now.timestamp()))}
    if secrets:
        text, now = body.decode(), now.astimezone(UTC)
        headers["webhook-signature"] = " ".join(Webhook(secret).sign(identifier, now, text) for secret in secrets)
    return headers


def verify(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> str:
    """Verify a message, and that it was signed within the last five minutes; return its id.

    Args:
        body: the message as it came.
        headers: the request's headers; lower-case names are looked up.
        secrets: of which one must have signed the message.

    Raises:
        SignatureError: it is not signed by any of ``secrets``, or too old or too new.
    """
    given = {name: headers[name] for name in _HEADERS if name in headers}
    if len(given) < len(_HEADERS):
        raise SignatureError(f"A message needs the headers {', '.join(_HEADERS)}.")
    problem = "The message is not signed by a secret that is known here."
    for secret in secrets:
        try:
            Webhook(secret).verify(body, given, json_parse=False)
        except WebhookVerificationError as error:
            problem = f"{error}."
        # What is no UTF-8, no base64 or no list of versioned signatures raises one of these in the library.
        except ValueError:
            problem = "The signature or the body is malformed."
        else:
            return given["webhook-id"]
    raise SignatureError(problem)
