"""Reading small JSON documents over HTTP, within bounds of time and size."""

from typing import Any

import httpx

from smplat.lib import outgoing
from telemetry.bodies import BodyError, parse, problem_of

_MAX_BYTES = 1_048_576


class FetchError(Exception):
    """A document cannot be read; the message says what went wrong, and never names the address."""


def fetch_json(url: str, timeout: float, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Read a JSON object; redirects are not followed.

    Args:
        url: where it lies.
        timeout: seconds after which it is given up.
        headers: what else to send.

    Raises:
        FetchError: nothing answers in time, or the answer is no JSON object of at most 1 MiB that could be stored.
    """
    try:
        body = parse(_content(url, timeout, headers or {}), is_ndjson=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FetchError(f"could not be reached ({type(error).__name__})") from error
    except BodyError as error:
        raise FetchError("the answer is not JSON") from error
    document = body.events[0]
    if body.is_batch or not isinstance(document, dict):
        raise FetchError("the answer is not a JSON object")
    if problem := problem_of(document):
        raise FetchError(f"the answer cannot be stored; {problem}")
    return document


def _content(url: str, timeout: float, headers: dict[str, str]) -> bytes:
    """The whole of the answer, or a FetchError."""
    sent = {"Accept": "application/json", **headers}
    answer = outgoing.ask("GET", url, headers=sent, timeout=timeout, max_bytes=_MAX_BYTES)
    if answer.status != httpx.codes.OK:
        raise FetchError(f"answered {answer.status}")
    if answer.is_complete:
        return answer.body
    if len(answer.body) == _MAX_BYTES:
        raise FetchError("the answer is larger than 1 MiB")
    raise FetchError(f"the answer was not complete within {timeout:.0f} s")
