"""Buckets of S3 behind Django's storage interface; imported where an ``s3://`` URI is used, since boto3 is large."""

import errno
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header
from django.conf import settings
from django.core.files import File
from storages.backends.s3 import S3Storage


class ObjectStorage(S3Storage):
    """An object storage that serves what was written, byte for byte, and fails by ``OSError`` as a disk does.

    By default a name that ends with ``.gz`` gets a content encoding, and HTTP clients decompress on the way what no
    longer matches the object's receipt then.
    """

    def get_object_parameters(self, name: str) -> dict[str, str]:
        """Name the content's type, and no encoding."""
        content_type, encoding = mimetypes.guess_type(name)
        fitting = "application/gzip" if encoding == "gzip" else content_type
        return {"ContentType": fitting or "application/octet-stream"}

    def stream(self, name: str) -> "_Stream":
        """Open an object; ``open`` would fetch the whole of it before it gives the first byte."""
        with _as_os_errors():
            return _Stream(self.bucket.Object(name).get()["Body"])

    def names(self, folder: str) -> Iterator[str]:
        """The names of everything below a folder, without the folder's, in their order."""
        prefix = f"{folder}/" if folder else ""
        with _as_os_errors():
            for item in self.bucket.objects.filter(Prefix=prefix):
                yield item.key.removeprefix(prefix)

    def _save(self, name: str, content: "File[bytes]") -> str:
        with _as_os_errors():
            return str(super()._save(name, content))

    def _create_session(self) -> Any:
        """Send bodies without asking for leave: botocore waits for it in a loop that a cut connection never ends."""
        session = super()._create_session()
        session.events.unregister("before-call.s3", add_expect_header)
        return session


class _Stream:
    """The body of an answer of S3."""

    def __init__(self, body: Any) -> None:
        self._body = body
        self.close = body.close

    def read(self, size: int) -> bytes:
        with _as_os_errors():
            return bytes(self._body.read(size))


def open_bucket(name: str) -> ObjectStorage:
    """A bucket, reached as the settings say."""
    return ObjectStorage(
        bucket_name=name,
        region_name=settings.AWS_REGION,
        endpoint_url=settings.AWS_S3_ENDPOINT_URL,
        addressing_style="path" if settings.AWS_S3_ENDPOINT_URL else "auto",
        signature_version="s3v4",
        file_overwrite=True,
        client_config=Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"max_attempts": 4, "mode": "standard"},
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.AWS_S3_ENDPOINT_URL else "auto"},
        ),
    )


@contextmanager
def _as_os_errors() -> Iterator[None]:
    """Raise FileNotFoundError for a key that is missing, and OSError for what else S3 or the way to it refuses."""
    try:
        yield
    except ClientError as error:
        details = error.response.get("Error", {})
        reason = f"{details.get('Code', 'error')} ({details.get('Message', 'no message')})"
        # A bucket that does not exist is a mistake in the settings, and has a code of its own.
        number = errno.ENOENT if details.get("Code") in {"NoSuchKey", "404"} else errno.EIO
        raise OSError(number, reason) from error
    except BotoCoreError as error:
        raise OSError(errno.EIO, type(error).__name__) from error
