"""Reading small JSON documents over HTTP, within bounds of time and size."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

from telemetry.bodies import BodyError, parse, problem_of

_MAX_BYTES = 1_048_576


class FetchError(Exception):
    """A document cannot be read; the message says what went wrong, and never names the address."""


def fetch_json(url: str, timeout: float, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Read a JSON object; redirects are not followed.

    Args:
        url: where it lies.
        timeout: seconds after which the reading of the answer is given up; each wait within is at most half of it.
        headers: what else to send.

    Raises:
        FetchError: nothing answers in time, or the answer is no JSON object of at most 1 MiB that could be stored.
    """
    try:
        body = parse(b"".join(_chunks(url, timeout, headers or {})), is_ndjson=False)
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


def _chunks(url: str, timeout: float, headers: dict[str, str]) -> Iterator[bytes]:
    """The bytes of the answer, checked for their number and for the time they take before they are handed on."""
    # Compressed answers are not asked for: a small one may hold more than the limit.
    sent = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
    deadline, total = time.monotonic() + timeout, 0
    with httpx.stream("GET", url, headers=sent, timeout=timeout / 2, follow_redirects=False) as answer:
        if answer.status_code != httpx.codes.OK:
            raise FetchError(f"answered {answer.status_code}")
        for chunk in answer.iter_raw():
            total += len(chunk)
            if total > _MAX_BYTES:
                raise FetchError("the answer is larger than 1 MiB")
            if time.monotonic() > deadline:
                raise FetchError(f"the answer was not complete within {timeout:.0f} s")
            yield chunk
