"""The sink that writes one object of the lake per run, and its manifest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from uuid import UUID

from reporting.exports.sinks import SinkError
from reporting.feeds import Feed
from reporting.feeds.lines import Figures, Line
from reporting.lake.manifests import manifest_uri
from reporting.lake.storage import LakeError
from reporting.lake.writer import ObjectWriter, object_uri


class LakeSink:
    """Writes an object and then its manifest. Confirmed means: the lake has taken both.

    A run without rows makes no object.

    Attributes:
        uri: where the object will lie.
        bytes: its size, once it is committed.
    """

    confirms_each: Literal[False] = False
    has_receipt = True

    def __init__(self, feed: Feed, root_uri: str, run_id: UUID | str, shape: str, gzip: bool = False) -> None:
        """Make a sink, which touches nothing before the first rows.

        Args:
            feed: the feed of the rows.
            root_uri: under which the object lies, ``s3://bucket/prefix`` or ``file:///folder``.
            run_id: the run that writes it.
            shape: the shape of the rows, ``wire`` or ``warehouse``.
            gzip: whether the object is compressed.
        """
        self.uri = object_uri(feed, root_uri, run_id, ".gz" if gzip else "")
        self._feed, self._run_id, self._shape, self._is_gzip = feed, str(run_id), shape, gzip
        self.bytes = 0
        self._writer: ObjectWriter | None = None

    def write(self, lines: list[Line]) -> None:
        """Spool a batch of lines, of which the sink makes the figures itself.

        Raises:
            SinkError: the spool cannot be made or written, as on a full disk.
        """
        with _explained():
            self._opened().add(lines)

    def take(self, data: bytes) -> None:
        """Spool whole lines, whose figures :meth:`commit` is told.

        Raises:
            SinkError: the spool cannot be made or written, as on a full disk.
        """
        with _explained():
            self._opened().add_bytes(data)

    def commit(self, figures: Figures | None = None) -> list[str]:
        """Write the object, and its manifest last; return the URIs of both, nothing where there was no row.

        Args:
            figures: of the lines taken as bytes.

        Raises:
            SinkError: one of them could not be written; an object without a manifest does not count for readers.
        """
        if self._writer is None:
            return []
        self._writer.figures += figures or Figures()
        with _explained():
            self.bytes = self._writer.commit(self.uri, self._run_id).bytes
        self.abort()
        return [self.uri, manifest_uri(self.uri)]

    def abort(self) -> None:
        """Remove the spool."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _opened(self) -> ObjectWriter:
        self._writer = self._writer or ObjectWriter(self._feed, self._shape, gzip=self._is_gzip)
        return self._writer


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except LakeError as error:
        raise SinkError(str(error)) from error
