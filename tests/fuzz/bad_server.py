"""A server with the faults that the fuzzer looks for, one at each path; prints its port, and runs until it is ended."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LEAKED_BYTES = 262_144
SLOW_SECONDS = 0.5
_leaked: list[bytes] = []
# Set from the first slow answer to /api/slow-once on.
_was_slow = threading.Event()


class Handler(BaseHTTPRequestHandler):
    """Answers ``/api/well``, and otherwise as the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.path.partition("?")[0].rpartition("/")[2]
        if fault == "leak":
            _leaked.append(b"a" * LEAKED_BYTES)
        if fault == "slow" or (fault == "slow-once" and not _was_slow.is_set()):
            _was_slow.wait(SLOW_SECONDS)
        if fault == "slow-once":
            _was_slow.set()
        if fault == "gone":
            self.close_connection = True
            return
        is_broken = fault == "broken" or (fault == "mark" and b"!" in body)
        self._answer(500 if is_broken else 200, "text/html" if fault == "html" else "application/json")

    do_POST = do_GET

    def _answer(self, status: int, content_type: str) -> None:
        content = b"<!doctype html>" if content_type == "text/html" else b"{}"
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
