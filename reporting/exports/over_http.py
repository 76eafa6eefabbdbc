"""Reading a feed over HTTP, for hosts that cannot reach the database.

Ascending pages of the REST list end where no earlier row can appear any more, so a walk that goes on from where the
last one ended misses nothing, as an export by position does not.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import httpx
import orjson
from django.utils import timezone
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from reporting.checkpoints.content import Point
from reporting.checkpoints.stores import CheckpointError, CheckpointStore
from reporting.exports.batches import deliver
from reporting.exports.delivery import Progress, Scope
from reporting.exports.sinks import Sink, SinkError
from reporting.feeds import Feed
from reporting.feeds.from_wire import warehouse_row
from reporting.feeds.lines import Line
from smplat.lib.times import iso

logger = logging.getLogger(__name__)
_ATTEMPTS = 5
_TIMEOUT = httpx.Timeout(30, connect=5)
_PATH = "/api/v1/reporting/onboarding/experiment-events"
#: The key under which a checkpoint keeps the REST cursor behind its last row.
TIE = "restCursor"


class ApiError(SinkError):
    """The API did not give the rows; the message says what it answered, without the key."""


class _RetryableError(ApiError):
    """What may go better the next time."""


@dataclass(frozen=True)
class Source:
    """The REST list of segments of another installation.

    Attributes:
        feed: the feed of segments.
        base_url: the installation's address.
        key: its API key.
        page_rows: rows of a page.
        sleep: waits a number of seconds between two attempts.
    """

    feed: Feed
    base_url: str
    key: str
    page_rows: int
    sleep: Callable[[float], None]

    def lines(self, cursor: str | None, shape: str, until: datetime | None) -> Iterator[Line]:
        """Stream the rows behind ``cursor``, oldest first.

        Args:
            cursor: a REST cursor, None for all rows.
            shape: ``wire`` or ``warehouse``.
            until: a time; younger rows are left out.

        Raises:
            ApiError: the API refused, or could not be reached in several attempts.
        """
        with httpx.Client(base_url=self.base_url, headers={"X-API-Key": self.key}, timeout=_TIMEOUT) as client:
            is_done = False
            while not is_done:
                page = self._page(client, cursor)
                for row in page["events"]:
                    if until is not None and datetime.fromisoformat(row["recordedAt"]) > until:
                        return
                    yield self._line(row, shape)
                cursor = page["nextCursor"]
                is_done = cursor is None

    def _line(self, row: dict[str, Any], shape: str) -> Line:
        json = orjson.dumps(row if shape == "wire" else warehouse_row(self.feed, row, "event"))
        return Line(0, row["recordedAt"], row["eventId"], json)

    def _page(self, client: httpx.Client, cursor: str | None) -> dict[str, Any]:
        attempts = Retrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=1, max=30),
            retry=retry_if_exception_type(_RetryableError),
            sleep=self.sleep,
            reraise=True,
        )
        page: dict[str, Any] = attempts(self._ask, client, cursor)
        return page

    def _ask(self, client: httpx.Client, cursor: str | None) -> dict[str, Any]:
        query = {"order": "asc", "limit": str(self.page_rows)} | ({"cursor": cursor} if cursor else {})
        try:
            answer = client.get(_PATH, params=query)
        except httpx.HTTPError as error:
            raise _RetryableError(f"{self.base_url} cannot be reached ({type(error).__name__})") from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise _RetryableError(f"{self.base_url} answered {answer.status_code}")
        if not answer.is_success:
            raise ApiError(f"{self.base_url} answered {answer.status_code}: {answer.text[:200]}")
        return _content(self.base_url, answer)


def _content(base_url: str, answer: httpx.Response) -> dict[str, Any]:
    try:
        page = answer.json()
        if isinstance(page["events"], list) and "nextCursor" in page:
            return dict(page)
    except (ValueError, KeyError, TypeError):
        logger.debug("The answer is no page of the list.")
    raise ApiError(f"{base_url} did not answer with a page of the list; is it the address of a SMPLAT installation?")


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
    # The list goes on behind a bare time, and times have microseconds.
    return None if start is None else iso(start - timedelta(microseconds=1))


def export(
    source: Source,
    scope: Scope,
    store: CheckpointStore,
    sink: Sink,
    progress: Progress,
    tell: Callable[[Progress], None],
) -> None:
    """Deliver to ``sink`` what the list holds behind the checkpoint of ``store``; see :func:`incremental.export`.

    Raises:
        reporting.exports.sinks.SinkError: the API or the sink refused; what is confirmed by then stays.
        reporting.checkpoints.stores.CheckpointError: the checkpoint cannot be read or written.
    """
    cursor = cursor_after(store.read(), scope.cursor)
    lines = islice(source.lines(cursor, scope.shape, scope.until), scope.max_rows)
    last: Line | None = None
    try:
        for batch in deliver(lines, sink, scope.batch_rows):
            last = batch[-1]
            progress.rows += len(batch)
            progress.bytes += sum(len(line.json) + 1 for line in batch)
            tell(progress)
            if sink.confirms_each:
                _move(scope.feed, store, last, progress)
        if last is not None and not sink.confirms_each:
            progress.uris = sink.commit()
            _move(scope.feed, store, last, progress)
    finally:
        sink.abort()


def _move(feed: Feed, store: CheckpointStore, last: Line, progress: Progress) -> None:
    tie = {TIE: f"{last.time}~{last.key}"}
    point = Point(feed.key, last.time, None, progress.rows, iso(timezone.now()), extra=tie)
    store.write(point)
    progress.point = point
