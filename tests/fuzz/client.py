"""Sends requests as they are, and measures how long the desk thinks about each."""

import http.client
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.fuzz.requests import Access, Request

#: Of an answer, so much is read; the rest of a longer download is left behind, as by a client that goes away.
READ_BYTES = 65_536
_TIMEOUT_SECONDS = 60
_CHUNK_BYTES = 8_192


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status; 0 where the connection ended without an answer.
        content_type: its media type.
        start: the first bytes of the body.
        seconds: from the first byte of the request to the headers of the answer.
    """

    status: int
    content_type: str
    start: bytes
    seconds: float


class Client:
    """One keep-alive connection, made anew where it was closed."""

    def __init__(self, access: Access) -> None:
        self._access = access
        host = urlsplit(access.origin)
        self._connection = http.client.HTTPConnection(str(host.hostname), host.port, timeout=_TIMEOUT_SECONDS)

    def send(self, request: Request) -> Answer:
        """Send ``request`` and return the answer; once more where the connection was closed meanwhile."""
        is_kept = self._connection.sock is not None
        try:
            return self._send(request)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            return self.send(request) if is_kept else Answer(0, "", repr(error).encode(), 0.0)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def _send(self, request: Request) -> Answer:
        began = time.monotonic()
        self._send_headers(request)
        answer = self._connection.getresponse()
        seconds = time.monotonic() - began
        start = answer.read(READ_BYTES)
        if not answer.isclosed():
            self.close()
        return Answer(answer.status, answer.getheader("Content-Type", ""), start, seconds)

    def _send_headers(self, request: Request) -> None:
        """Send the whole of ``request``, its body in the same packets where that is possible."""
        headers = self._access.headers(request)
        has_host = any(name.lower() == "host" for name, _ in headers)
        self._connection.putrequest(request.method, request.target, skip_host=has_host, skip_accept_encoding=True)
        for name, value in headers:
            self._connection.putheader(name, value.encode("latin-1"))
        if request.is_chunked:
            self._connection.putheader("Transfer-Encoding", "chunked")
        elif request.body or request.method == "POST":
            self._connection.putheader("Content-Length", str(len(request.body)))
        body = _chunked(request.body) if request.is_chunked else request.body
        self._connection.endheaders(body or None)


def _chunked(body: bytes) -> bytes:
    parts = [body[at : at + _CHUNK_BYTES] for at in range(0, len(body), _CHUNK_BYTES)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
