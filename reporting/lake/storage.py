"""Files of the lake, addressed by URI: ``file://`` and ``s3://`` behind Django's storages.

A write is all or nothing on both: S3 shows an object when it is complete, and a file is renamed into place after it
was written and synced.
"""

import mimetypes
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.core import signing
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.urls import reverse

from reporting.lake.unfinished import SUFFIX, remove_abandoned

if TYPE_CHECKING:
    from reporting.lake.buckets import ObjectStorage

mimetypes.add_type("application/x-ndjson", ".ndjson")
_CHUNK_BYTES = 65_536
# Who may enter the lake's folder is decided at the folder; its files are for readers of other accounts too.
_FILE_MODE = 0o644
_TOKEN_SALT = "reporting.lake.storage"


class LakeError(OSError):
    """The lake could not be read or written; the message says where and why, without credentials."""


class ObjectNotFoundError(LakeError):
    """There is nothing at a URI; whether it can be reached is not in doubt."""


class AtomicFileStorage(FileSystemStorage):
    """A file storage on which a reader sees the old content or the new, and nothing between."""

    def _save(self, name: str, content: "File[bytes]") -> str:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=SUFFIX)
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(unfinished, _FILE_MODE)
            os.replace(unfinished, target)
        except BaseException:
            os.unlink(unfinished)
            raise
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Keep the name: what replaces a status is meant to, and every other key is unique."""
        return name

    def stream(self, name: str) -> "File[bytes]":
        """Open a file."""
        return self.open(name)

    def names(self, folder: str) -> Iterator[str]:
        """The names of everything below a folder, without the folder's; none where it is not there."""
        root = self.path(folder)

        def explain(error: OSError) -> None:
            if not (error.filename == root and isinstance(error, FileNotFoundError)):
                raise error

        for directory, folders, files in os.walk(root, onerror=explain):
            folders.sort()
            for name in sorted(files):
                yield Path(directory, name).relative_to(root).as_posix()


@dataclass(frozen=True)
class Place:
    """Where a URI points to."""

    uri: str
    storage: "AtomicFileStorage | ObjectStorage"
    name: str


def place(uri: str) -> Place:
    """Resolve a ``file://`` or ``s3://`` URI, as the settings allow them."""
    parts = urlsplit(uri)
    name = unquote(parts.path).lstrip("/")
    return Place(uri, _bucket(parts.netloc) if parts.scheme == "s3" else AtomicFileStorage(location="/"), name)


@cache
def _bucket(name: str) -> "ObjectStorage":
    # Most desks keep their lake on a disk, and importing boto3 takes as long as all else that an export needs.
    from reporting.lake.buckets import open_bucket

    return open_bucket(name)


def key_of(uri: str, root_uri: str) -> str:
    """The key of an object: in its bucket, or below the lake's root on a disk."""
    parts = urlsplit(uri)
    return parts.path.lstrip("/") if parts.scheme == "s3" else uri.removeprefix(f"{root_uri}/")


def write(uri: str, content: IO[bytes] | bytes) -> None:
    """Write ``content`` to ``uri`` at once, replacing what was there.

    Raises:
        LakeError: it could not be written; what was there before is untouched.
    """
    target = place(uri)
    file: File[bytes] = ContentFile(content) if isinstance(content, bytes) else File(content)
    try:
        target.storage.save(target.name, file)
    except OSError as error:
        raise LakeError(f"cannot write {uri}: {_reason(error)}") from error


def read(uri: str) -> Iterator[bytes]:
    """Open ``uri`` and return its content in chunks; an error to open it shows at once, before the first chunk.

    Raises:
        ObjectNotFoundError: there is nothing at ``uri``.
        LakeError: it cannot be read.
    """
    try:
        source = place(uri)
        stream = source.storage.stream(source.name)
    except FileNotFoundError as error:
        raise ObjectNotFoundError(f"cannot read {uri}: {_reason(error)}") from error
    except OSError as error:
        raise LakeError(f"cannot read {uri}: {_reason(error)}") from error
    return _chunks(uri, stream)


def exists(uri: str) -> bool:
    """Whether something lies at ``uri``, which is read for that, and should be small.

    Raises:
        LakeError: it cannot be found out.
    """
    try:
        b"".join(read(uri))
    except ObjectNotFoundError:
        return False
    return True


def _chunks(uri: str, stream: Any) -> Iterator[bytes]:
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            yield chunk
    except OSError as error:
        raise LakeError(f"cannot read {uri} to its end: {_reason(error)}") from error
    finally:
        stream.close()


def listing(folder_uri: str) -> Iterator[str]:
    """The URIs of everything below a folder, in the order of their keys on S3, streamed.

    Args:
        folder_uri: the folder; one that is not there holds nothing.

    Raises:
        LakeError: the folder cannot be listed.
    """
    folder_uri = folder_uri.rstrip("/")
    source = place(folder_uri)
    try:
        for name in source.storage.names(source.name):
            yield f"{folder_uri}/{quote(name, safe='/=')}"
    except OSError as error:
        raise LakeError(f"cannot list {folder_uri}: {_reason(error)}") from error


def download_url(uri: str) -> str:
    """A URL under which anyone who has it can download ``uri`` until ``EXPORT_URL_EXPIRY_SECONDS`` have passed."""
    source = place(uri)
    if not isinstance(source.storage, AtomicFileStorage):
        return str(source.storage.url(source.name, expire=int(settings.EXPORT_URL_EXPIRY.total_seconds())))
    token = signing.dumps(uri, salt=_TOKEN_SALT)
    return f"{settings.PUBLIC_BASE_URL}{reverse('api:lake-file', args=[token])}"


def uri_of_token(token: str) -> str:
    """The URI that a token of :func:`download_url` stands for.

    Raises:
        django.core.signing.SignatureExpired: the token is too old.
        django.core.signing.BadSignature: it is not one of ours.
    """
    return str(signing.loads(token, salt=_TOKEN_SALT, max_age=settings.EXPORT_URL_EXPIRY))


def sweep() -> None:
    """Remove what writers that were killed have left in a lake or on a stage on the disk, once it is a day old."""
    for uri in {settings.LAKE_URI, settings.INGEST_STAGE_URI}:
        if urlsplit(uri).scheme == "file":
            remove_abandoned(Path(unquote(urlsplit(uri).path)).rglob(f".*{SUFFIX}"))


def check() -> None:
    """Write and read a small file at ``LAKE_URI``.

    Raises:
        LakeError: the lake cannot be used.
    """
    uri = f"{settings.LAKE_URI}/.readiness"
    write(uri, BytesIO(b"ready\n"))
    if b"".join(read(uri)) != b"ready\n":
        raise LakeError(f"cannot read back what was written to {settings.LAKE_URI}")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
