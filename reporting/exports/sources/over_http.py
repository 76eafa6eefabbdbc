"""Reading a feed over HTTP, for hosts that cannot reach the database.

Ascending pages of the REST list end where no earlier row can appear any more, so a walk that goes on from where the
last one ended misses nothing, as an export by position does not.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import httpx
import orjson
from django.utils import timezone
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from reporting.checkpoints.content import CheckpointError, Point
from reporting.exports.sinks import Limits, SinkError
from reporting.exports.sources import Scope
from reporting.feeds.from_wire import warehouse_row
from reporting.feeds.lines import Block, Figures, Line, Size, ndjson
from smplat.lib import outgoing
from smplat.lib.addresses import origin_of, without_secrets
from smplat.lib.times import iso

logger = logging.getLogger(__name__)
_ATTEMPTS = 5
# For the whole of a page.
_TIMEOUT_SECONDS = 30.0
_MAX_PAGE_BYTES = 67_108_864
_BLOCK_ROWS = 1_000
_PATH = "/api/v1/reporting/onboarding/experiment-events"
#: The key under which a checkpoint keeps the REST cursor after its last row.
TIE = "restCursor"


class ApiError(SinkError):
    """The API did not give the rows; the message says what it answered, without the key."""


class _RetryableError(ApiError):
    """What may go better the next time."""


@dataclass(frozen=True)
class RestList:
    """The REST list of segments of another installation.

    Attributes:
        base_url: the installation's address; it may carry a secret, and only its origin is shown.
        key: its API key.
        page_rows: rows of a page.
        sleep: waits a number of seconds between two attempts.
    """

    base_url: str
    key: str
    page_rows: int
    sleep: Callable[[float], None]

    def rows(self, cursor: str | None) -> Iterator[dict[str, Any]]:
        """Stream the rows after ``cursor``, None for all rows, oldest first and in wire shape.

        Raises:
            ApiError: the API refused, or could not be reached in several attempts.
        """
        is_done = False
        while not is_done:
            page = self._page(cursor)
            yield from page["events"]
            cursor = page["nextCursor"]
            is_done = cursor is None

    def _page(self, cursor: str | None) -> dict[str, Any]:
        attempts = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=1, max=30),
            retry=retry_if_exception_type(_RetryableError),
            sleep=self.sleep,
            reraise=True,
        )
        page: dict[str, Any] = attempts(self._ask, cursor)
        return page

    def _ask(self, cursor: str | None) -> dict[str, Any]:
        origin = origin_of(self.base_url)
        query = {"order": "asc", "limit": str(self.page_rows)} | ({"cursor": cursor} if cursor else {})
        try:
            answer = outgoing.ask(
                "GET",
                self.base_url.rstrip("/") + _PATH,
                params=query,
                headers={"X-API-Key": self.key},
                timeout=_TIMEOUT_SECONDS,
                max_bytes=_MAX_PAGE_BYTES,
            )
        except httpx.HTTPError as error:
            raise _RetryableError(f"{origin} cannot be reached ({type(error).__name__})") from error
        if answer.may_change:
            raise _RetryableError(f"{origin} answered {answer.status}")
        if not answer.is_success:
            said = answer.body.decode(errors="replace").replace(self.key, "…")
            raise ApiError(f"{origin} answered {answer.status}: {without_secrets(said, self.base_url)[:200]}")
        if not answer.is_complete and len(answer.body) < _MAX_PAGE_BYTES:
            raise _RetryableError(f"{origin} did not answer with a whole page within {_TIMEOUT_SECONDS:.0f} s")
        return _content(origin, answer)


@dataclass(frozen=True)
class HttpSource:
    """Rows of the list, which has no positions: a checkpoint keeps its cursor.

    Attributes:
        api: the list.
        scope: which rows are wanted.
        cursor: the REST cursor after which they start, None for all rows; see :func:`cursor_after`.
    """

    api: RestList
    scope: Scope
    cursor: str | None

    def parts(self, limits: Limits) -> Iterator[Iterable[Line]]:
        """The rows, each batch a part: the list's order is that of its cursors."""
        return limits.batches(self._lines())

    @contextmanager
    def stream(self) -> Iterator["Walk"]:
        """The rows in one walk over the list."""
        yield Walk(self._lines())

    def checkpoint(self, last: Line, rows: int) -> Point:
        """The checkpoint at the time of ``last``, with the REST cursor after it."""
        tie = {TIE: f"{last.time}~{last.key}"}
        return Point(self.scope.feed.key, last.time, None, rows, iso(timezone.now()), extra=tie)

    def size(self) -> Size:
        """How many rows and bytes there are, and the first and the last key; counted by a walk over the list."""
        rows = size = 0
        first = last = None
        for line in self._lines():
            rows, size = rows + 1, size + len(line.json) + 1
            first, last = first or line.key, line.key
        return Size(rows, size, None, first, last)

    def _lines(self) -> Iterator[Line]:
        until = self.scope.until
        for row in islice(self.api.rows(self.cursor), self.scope.max_rows):
            if until is not None and datetime.fromisoformat(row["recordedAt"]) > until:
                return
            shaped = row if self.scope.shape == "wire" else warehouse_row(self.scope.feed, row, "event")
            yield Line(0, row["recordedAt"], row["eventId"], orjson.dumps(shaped))


class Walk:
    """Lines as bytes, and their figures, which are made as they pass."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._last: Line | None = None
        self._figures = Figures()

    def blocks(self) -> Iterator[Block]:
        """The lines, a page's worth at a time."""
        while lines := list(islice(self._lines, _BLOCK_ROWS)):
            self._last = lines[-1]
            self._figures += Figures.of(lines)
            yield Block(len(lines), ndjson(lines))

    def last(self) -> Line | None:
        return self._last

    def figures(self) -> Figures:
        return self._figures


def _content(origin: str, answer: outgoing.Answer) -> dict[str, Any]:
    try:
        page = orjson.loads(answer.body)
        if isinstance(page["events"], list) and "nextCursor" in page:
            return dict(page)
    except (ValueError, KeyError, TypeError):
        logger.debug("The answer is no page of the list.")
    raise ApiError(f"{origin} did not answer with a page of the list; is it the address of a SMPLAT installation?")


def cursor_after(point: Point | None, start: datetime | None) -> str | None:
    """The REST cursor at which a walk goes on.

    Args:
        point: the checkpoint; a time alone resumes at that time, inclusive.
        start: a time to start at in its place, inclusive.

    Raises:
        CheckpointError: the checkpoint is one by position, of an exporter that reads the database.
    """
    if start is None and point is not None:
        if TIE in point.extra:
            return str(point.extra[TIE])
        if point.position is not None:
            raise CheckpointError(
                f"found {point}, which an exporter with a database has written; over HTTP its position means nothing, "
                "and rows behind it may be older than its time. Name a checkpoint of this exporter's own"
            )
        start = datetime.fromisoformat(point.cursor) if point.cursor else None
    # The list goes on after a bare time, and times have microseconds.
    return None if start is None else iso(start - timedelta(microseconds=1))
