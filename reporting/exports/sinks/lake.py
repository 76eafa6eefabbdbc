"""The sink that writes one object of the lake per run, and its manifest."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from gzip import GzipFile
from typing import IO
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from reporting.exports.sinks import SinkError
from reporting.exports.sinks.streams import LARGE, ndjson
from reporting.feeds import Feed
from reporting.feeds.lines import Line
from reporting.lake import storage
from reporting.lake.manifests import Content, Tally, manifest_uri


def object_uri(feed: Feed, root_uri: str, run_id: UUID | str, suffix: str = "") -> str:
    """Where an object that a run starts to write now lies; the run's id keeps two runs from ever sharing a key."""
    now = datetime.now(UTC)
    folder = f"{root_uri.rstrip('/')}/{feed.folder}/{now:%Y/%m/%d}"
    return f"{folder}/{now:%Y%m%dT%H%M%S.%fZ}-{run_id}.ndjson{suffix}"


class LakeSink:
    """Writes an object and then its manifest. Confirmed means: the lake has taken both.

    The rows are spooled to a file on this machine, so that a run of any size needs the memory of one batch. A run
    without rows makes no object.

    Attributes:
        uri: where the object will lie.
    """

    limits = LARGE
    confirms_each = False

    def __init__(self, feed: Feed, root_uri: str, run_id: UUID | str, shape: str, gzip: bool = False) -> None:
        """Make a sink, which touches nothing before the first batch.

        Args:
            feed: the feed of the rows.
            root_uri: under which the object lies, ``s3://bucket/prefix`` or ``file:///folder``.
            run_id: the run that writes it.
            shape: the shape of the rows, ``wire`` or ``warehouse``.
            gzip: whether the object is compressed.
        """
        self.uri = object_uri(feed, root_uri, run_id, ".gz" if gzip else "")
        self._feed, self._run_id, self._shape, self._is_gzip = feed, str(run_id), shape, gzip
        self._spool: _Spool | None = None

    def write(self, lines: list[Line]) -> None:
        """Spool a batch.

        Raises:
            SinkError: the spool cannot be made or written, as on a full disk.
        """
        with _explained():
            if self._spool is None:
                self._spool = _Spool(self._is_gzip)
            self._spool.add(lines)

    def commit(self) -> list[str]:
        """Write the object, and its manifest last; return the URIs of both, nothing where there was no batch.

        Raises:
            SinkError: one of them could not be written; an object without a manifest does not count for readers.
        """
        if self._spool is None:
            return []
        with _explained():
            content = self._spool.finish()
            storage.write(self.uri, self._spool.file)
            # Rows that came over HTTP have no position, which reads as 0; those of the database count from 1.
            positions = None if self._spool.positions == (0, 0) else self._spool.positions
            receipt = self._spool.tally.receipt(
                self._feed.key, self.uri, positions, self._run_id, timezone.now(), self._shape, content
            )
            storage.write(manifest_uri(self.uri), receipt.as_json())
        self.abort()
        return [self.uri, manifest_uri(self.uri)]

    def abort(self) -> None:
        """Remove the spool."""
        if self._spool is not None:
            self._spool.close()
        self._spool = None


class _Spool:
    """The bytes of an object in a file without a name, and what was counted in them."""

    def __init__(self, is_gzip: bool) -> None:
        settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
        self.file: IO[bytes] = tempfile.TemporaryFile(dir=settings.SPOOL_DIR)  # noqa: SIM115 - see close()
        self.tally = Tally()
        self.positions: tuple[int, int] | None = None
        self._content = Content(self.file)
        self._member = GzipFile(filename="", mode="wb", fileobj=self._content) if is_gzip else None

    def add(self, lines: list[Line]) -> None:
        """Write a batch."""
        (self._member or self._content).write(ndjson(lines))
        for line in lines:
            self.tally.count(line.key, line.time)
        # Rows come in the order of their time, which need not be that of their positions.
        positions = [*(self.positions or ()), *(line.position for line in lines)]
        self.positions = min(positions), max(positions)

    def finish(self) -> Content:
        """End the object and turn back to its start; return what its bytes count."""
        if self._member is not None:
            self._member.close()
        self.file.flush()
        self.file.seek(0)
        return self._content

    def close(self) -> None:
        """Remove the file, whatever is still to be written to it."""
        for file in (self._member, self.file):
            # On a full disk, closing fails as writing did.
            with suppress(OSError, ValueError):
                if file is not None:
                    file.close()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except storage.LakeError as error:
        raise SinkError(str(error)) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SinkError(f"cannot write to the spool {settings.SPOOL_DIR}: {reason}") from error
