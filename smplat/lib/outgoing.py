"""Requests to other servers, each with a deadline for the whole of it.

The timeouts of httpx hold for one read or write, so a server that sends a byte a second, or takes one, would keep a
request for ever. Here the deadline cancels whatever is under way: connecting, sending, headers or body.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import httpx

_CONNECT_TIMEOUT_SECONDS = 5.0


@dataclass
class Answer:
    """What a server answered.

    Attributes:
        status: the status code.
        headers: the headers.
        body: the body as it came, up to the limit.
        is_complete: False where the body was cut off, by the limit or by the deadline.
    """

    status: int
    headers: httpx.Headers
    body: bytes = b""
    is_complete: bool = False

    @property
    def is_success(self) -> bool:
        return httpx.codes.is_success(self.status)

    @property
    def may_change(self) -> bool:
        """Whether the server is overloaded (429) or broken (5xx), so that it may answer otherwise the next time."""
        return httpx.codes.is_server_error(self.status) or self.status == httpx.codes.TOO_MANY_REQUESTS


def ask(
    method: str,
    url: str,
    *,
    timeout: float,
    max_bytes: int,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request and read its answer; redirects are not followed.

    Args:
        method: such as ``POST``.
        url: the address; it may carry a secret, and is never logged.
        timeout: seconds for everything together; connecting gets at most five of them.
        max_bytes: how much of the body is read. A compressed body is not asked for: a small one may hold more.
        content: the body to send.
        headers: further headers.
        params: the query.

    Raises:
        httpx.HTTPError: no status line and headers came in time (``httpx.TimeoutException``), or the connection failed.
        httpx.InvalidURL: the address is none.
    """
    sent = {"Accept-Encoding": "identity", **(headers or {})}
    limits = httpx.Timeout(None, connect=min(timeout, _CONNECT_TIMEOUT_SECONDS))
    client = httpx.AsyncClient(verify=_tls(), timeout=limits, follow_redirects=False)
    request = client.build_request(method, url, content=content, headers=sent, params=params)
    return asyncio.run(_ask(client, request, timeout, max_bytes))


async def _ask(client: httpx.AsyncClient, request: httpx.Request, timeout: float, max_bytes: int) -> Answer:
    answer = None
    try:
        async with asyncio.timeout(timeout), client:
            response = await client.send(request, stream=True)
            answer = Answer(response.status_code, response.headers)
            await _read(response, answer, max_bytes)
    except TimeoutError as error:
        # Whoever has answered counts as having done so, however long the body takes.
        if answer is None:
            raise httpx.ReadTimeout(f"no answer within {timeout:g} s", request=request) from error
    return answer


async def _read(response: httpx.Response, answer: Answer, max_bytes: int) -> None:
    try:
        async for chunk in response.aiter_raw():
            answer.body += chunk
            if len(answer.body) > max_bytes:
                answer.body = answer.body[:max_bytes]
                return
        answer.is_complete = True
    finally:
        await response.aclose()


@cache
def _tls() -> ssl.SSLContext:
    """The authorities that are trusted, which take a while to read."""
    return httpx.create_ssl_context()
