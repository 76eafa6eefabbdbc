"""The writer of the lake's objects: lines go to a spool, the spool to its object, and the manifest follows last."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from gzip import GzipFile
from typing import IO, Self
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from reporting.feeds import Feed
from reporting.feeds.lines import Figures, Line, ndjson
from reporting.lake import storage
from reporting.lake.manifests import Content, Receipt, manifest_uri
from smplat.lib.times import iso


def object_uri(feed: Feed, root_uri: str, run_id: UUID | str, suffix: str = "") -> str:
    """Where an object that a run starts to write now lies; the run's id keeps two runs from ever sharing a key."""
    now = datetime.now(UTC)
    folder = f"{root_uri.rstrip('/')}/{feed.folder}/{now:%Y/%m/%d}"
    return f"{folder}/{now:%Y%m%dT%H%M%S.%fZ}-{run_id}.ndjson{suffix}"


class ObjectWriter:
    """Writes an object and its manifest.

    Lines are spooled to a file without a name on this machine and counted on their way. So an object of any size needs
    the memory of what is added at once, a killed process leaves nothing, and the manifest tells of the bytes written.

    Attributes:
        figures: what the receipt will say of the lines, beside their bytes.
    """

    def __init__(self, feed: Feed, shape: str, *, gzip: bool = False) -> None:
        """Open the spool.

        Args:
            feed: the feed of the rows.
            shape: the shape of the rows, ``wire`` or ``warehouse``.
            gzip: whether the object is compressed.

        Raises:
            reporting.lake.storage.LakeError: the spool cannot be made.
        """
        self.figures = Figures()
        self._feed, self._shape = feed, shape
        with _spooling():
            settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
            self._spool: IO[bytes] = tempfile.TemporaryFile(dir=settings.SPOOL_DIR)  # noqa: SIM115 - see close()
        self._content = Content(self._spool)
        self._member = GzipFile(filename="", mode="wb", fileobj=self._content) if gzip else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        return self._content.bytes

    @property
    def sha256(self) -> str:
        """SHA-256 of these bytes, in hexadecimal digits."""
        return self._content.sha256

    def add(self, lines: list[Line]) -> None:
        """Spool lines, which stand in the object in the order in which they are added.

        Raises:
            reporting.lake.storage.LakeError: the spool cannot be written, as on a full disk.
        """
        if lines:
            self.add_bytes(ndjson(lines))
            self.figures += Figures.of(lines)

    def add_bytes(self, data: bytes) -> None:
        """Spool whole lines, whose figures the caller adds to those of the object.

        Raises:
            reporting.lake.storage.LakeError: the spool cannot be written, as on a full disk.
        """
        with _spooling():
            (self._member or self._content).write(data)

    def commit(self, uri: str, run: str) -> Receipt:
        """Write the object to ``uri``, and then its manifest; see :meth:`seal`."""
        self.put(uri)
        return self.seal(uri, run)

    def put(self, uri: str) -> None:
        """Write the object alone; as long as it has no manifest, it does not count for readers.

        Raises:
            reporting.lake.storage.LakeError: it could not be written.
        """
        storage.write(uri, self.spooled())

    def seal(self, uri: str, run: str) -> Receipt:
        """Write the manifest of the object, which lies at ``uri``.

        Args:
            uri: the object.
            run: id of the run, or of the message, that writes it.

        Raises:
            reporting.lake.storage.LakeError: it could not be written.
        """
        # The database counts positions from 1.
        first, last = (position or None for position in self.figures.positions)
        receipt = Receipt(
            feed=self._feed.key,
            shape=self._shape,
            object=uri,
            bytes=self.size,
            rows=self.figures.rows,
            sha256=self.sha256,
            firstPosition=first,
            lastPosition=last,
            firstRecordedAt=self.figures.first_time,
            lastRecordedAt=self.figures.last_time,
            idSum=self.figures.id_sum,
            createdAt=iso(timezone.now()),
            run=run,
        )
        storage.write(manifest_uri(uri), receipt.as_json())
        return receipt

    def spooled(self) -> IO[bytes]:
        """The object's bytes, from their start; nothing is added any more."""
        with _spooling():
            if self._member is not None:
                self._member.close()
            self._spool.flush()
            self._spool.seek(0)
        return self._spool

    def close(self) -> None:
        """Remove the spool, whatever is still to be written to it; may be called twice."""
        for file in (self._member, self._spool):
            # On a full disk, closing fails as writing did.
            with suppress(OSError, ValueError):
                if file is not None:
                    file.close()


@contextmanager
def _spooling() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise storage.LakeError(f"cannot write to the spool {settings.SPOOL_DIR}: {reason}") from error
