"""What there is to load: the objects that manifests list, brought to this machine and held against the manifest."""

import gzip
import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import Any
from zlib import error as ZlibError

import orjson
from django.conf import settings

from reporting.feeds import Feed
from reporting.lake import storage
from reporting.lake.manifests import Content, Receipt, manifest_uri
from reporting.warehouse.reader import SHAPES

_MANIFEST = manifest_uri("")
_MAX_MANIFEST_BYTES = 65_536
_STRINGS = ("object", "sha256", "firstRecordedAt", "lastRecordedAt", "createdAt", "run")
_BUFFER_BYTES = 262_144
# DuckDB writes whole row groups as it goes, and what is left of each part when it commits; so parts are large.
_PART_BYTES = 268_435_456


class MismatchError(ValueError):
    """An object is not what its manifest says; the message says in what."""


def folders(feed: Feed) -> tuple[str, str]:
    """The folders of the lake in which a feed's objects lie.

    Returns:
        That of its job, and that of what the ingestion shim wrote, which holds the repairs of every feed too.
    """
    root_uri = settings.LAKE_URI if feed.window is None else settings.EXPORT_TARGETS[feed.key].root_uri
    return f"{root_uri}/{feed.folder}", f"{settings.INGEST_STAGE_URI}/{feed.key}"


def listed(feed: Feed) -> Iterator[str]:
    """The URIs of a feed's objects that have a manifest, streamed; those without one were never finished.

    Raises:
        reporting.lake.storage.LakeError: the lake cannot be listed.
    """
    for folder in folders(feed):
        for uri in storage.listing(folder):
            if uri.endswith(_MANIFEST):
                yield uri.removesuffix(_MANIFEST)


def receipt_of(feed: Feed, object_uri: str) -> Receipt:
    """Read the manifest of an object.

    Args:
        feed: the feed in whose folder the object lies.
        object_uri: the object, which need not be where the manifest says: a lake may be copied.

    Raises:
        MismatchError: it is not a manifest, or one of another feed.
        reporting.lake.storage.LakeError: it cannot be read.
    """
    content = b""
    for chunk in storage.read(manifest_uri(object_uri)):
        content += chunk
        if len(content) > _MAX_MANIFEST_BYTES:
            raise MismatchError("the manifest is too long to be one")
    try:
        values = orjson.loads(content)
        receipt = Receipt(**{field.name: values[field.name] for field in fields(Receipt)})
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise MismatchError("the manifest is not JSON, or a part of it is missing") from error
    _check(feed, receipt)
    return receipt


def _check(feed: Feed, receipt: Receipt) -> None:
    if receipt.feed != feed.key:
        raise MismatchError(f"the manifest names the feed {receipt.feed!r} and lies in the folder of {feed.key}")
    if receipt.shape not in SHAPES:
        raise MismatchError(f"the manifest names the shape {receipt.shape!r}; there are {' and '.join(SHAPES)}")
    if not all(type(number) is int for number in (receipt.bytes, receipt.rows, receipt.idSum)):
        raise MismatchError("bytes, rows and idSum of the manifest have to be whole numbers")
    if not all(position is None or type(position) is int for position in (receipt.firstPosition, receipt.lastPosition)):
        raise MismatchError("the positions of the manifest have to be whole numbers, or null")
    if not all(isinstance(getattr(receipt, name), str) for name in _STRINGS):
        raise MismatchError(f"{', '.join(_STRINGS)} of the manifest have to be strings")


@dataclass
class Part:
    """Lines of an object in a file of this machine: the file, and how many they are."""

    path: Path
    lines: int = 0


@dataclass
class Fetched:
    """The lines of an object on this machine.

    Attributes:
        parts: the files that hold them, in order.
        max_bytes: no line is longer, in bytes.
    """

    parts: list[Part] = field(default_factory=list)
    max_bytes: int = 0

    def lines(self) -> Iterator[bytes]:
        """All lines, in order."""
        for part in self.parts:
            with part.path.open("rb") as file:
                yield from file


def fetch(object_uri: str, receipt: Receipt, folder: Path) -> Fetched:
    """Bring the lines of an object to ``folder``, decompressed where its name ends with ``.gz``, and prove its bytes.

    Raises:
        MismatchError: the object is missing, or its size or hash is not that of its manifest.
        reporting.lake.storage.LakeError: the lake cannot be read.
    """
    try:
        with closing(_Counted(storage.read(object_uri), receipt.bytes)) as counted:
            buffered = io.BufferedReader(counted, _BUFFER_BYTES)
            fetched = _write(gzip.GzipFile(fileobj=buffered) if object_uri.endswith(".gz") else buffered, folder)
            counted.prove(receipt)
    except storage.ObjectNotFoundError as error:
        raise MismatchError("there is a manifest, and no object") from error
    except (EOFError, gzip.BadGzipFile, ZlibError) as error:
        raise MismatchError("it is damaged: it cannot be decompressed") from error
    return fetched


def _write(stream: io.BufferedIOBase, folder: Path) -> Fetched:
    """Write lines to files of a bounded size, so that who reads them needs no more memory for a larger object."""
    fetched, blocks = Fetched(), _blocks(stream)
    for block in blocks:
        part = Part(folder / f"object-{len(fetched.parts)}.ndjson")
        fetched.parts.append(part)
        with part.path.open("wb") as file:
            for lines in chain((block,), blocks):
                file.write(lines)
                part.lines += lines.count(b"\n") + (not lines.endswith(b"\n"))
                fetched.max_bytes = max(fetched.max_bytes, len(lines))
                if file.tell() >= _PART_BYTES:
                    break
    return fetched


def _blocks(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """The content of a stream in blocks of whole lines."""
    rest = b""
    while block := stream.read(_BUFFER_BYTES):
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = block[end:]
        else:
            rest += block
    if rest:
        yield rest


class _Counted(io.RawIOBase):
    """The bytes of an object as a file, counted on their way."""

    def __init__(self, chunks: Iterator[bytes], max_bytes: int) -> None:
        self._chunks, self._max_bytes = chunks, max_bytes
        self._rest = b""
        self._content = Content()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._chunks, b"")
            self._content.write(self._rest)
            if self._content.bytes > self._max_bytes:
                raise MismatchError(f"it has more than the {self._max_bytes} bytes of the manifest")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def prove(self, receipt: Receipt) -> None:
        """Hold what was counted against the receipt."""
        if self._content.bytes != receipt.bytes:
            raise MismatchError(f"it has {self._content.bytes} bytes, and the manifest says {receipt.bytes}")
        if self._content.sha256 != receipt.sha256:
            raise MismatchError(f"its SHA-256 is {self._content.sha256}, and the manifest says {receipt.sha256}")
