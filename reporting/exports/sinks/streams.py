"""Sinks on this machine: standard output, and a file."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from gzip import GzipFile
from pathlib import Path
from typing import IO, Literal
from uuid import uuid4

from reporting.exports.sinks import SinkError
from reporting.feeds.lines import Figures
from reporting.lake.unfinished import SUFFIX, remove_abandoned

_GZIP_MAGIC = b"\x1f\x8b"


class ReceiverGoneError(SinkError):
    """Whoever read standard output stopped, as ``head`` does; the run has no reason to go on, nor to complain."""


class StdoutSink:
    """Writes rows to a binary stream. Confirmed means: the stream took everything, up to the last flush."""

    confirms_each: Literal[False] = False
    has_receipt = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def take(self, data: bytes) -> None:
        """Write rows and flush them.

        Raises:
            ReceiverGoneError: nobody reads the stream any more.
            SinkError: the stream cannot be written.
        """
        with self._explained():
            self._stream.write(data)
            self._stream.flush()

    def commit(self, figures: Figures | None = None) -> list[str]:
        """Flush the stream; there is no URI of what went through it.

        Raises:
            ReceiverGoneError: nobody reads the stream any more.
            SinkError: the stream cannot be written.
        """
        with self._explained():
            self._stream.flush()
        return []

    def abort(self) -> None:
        """Do nothing: what was written cannot be taken back."""

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError as error:
            self._discard_rest()
            raise ReceiverGoneError("nobody reads standard output any more") from error
        except OSError as error:
            self._discard_rest()
            raise SinkError(f"cannot write to standard output: {error.strerror or type(error).__name__}") from error

    def _discard_rest(self) -> None:
        """Send what is still buffered to nowhere, or Python would complain when it flushes the stream at its exit.

        Source: Python's documentation of the signal module, "Note on SIGPIPE".
        """
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(nowhere, self._stream.fileno())
            finally:
                os.close(nowhere)


class FileSink:
    """Writes the rows of a run to a file. Confirmed means: the file is on the disk under its name, with all rows.

    The rows are written to another file in the same folder, which replaces the one of that name in the end; so a reader
    sees the file as it was or with the whole run, and a failed run leaves it as it was. After a run without rows the
    file is empty. A sink that appends starts with a copy of the file, and a run without rows leaves that alone.
    """

    confirms_each: Literal[False] = False
    has_receipt = False

    def __init__(self, path: Path, gzip: bool = False, *, appends: bool = False) -> None:
        """Make a sink, which touches nothing before the first rows.

        Args:
            path: the file; where it is a link, the file behind it is the one.
            gzip: whether the rows of the run are compressed, as a gzip member of their own.
            appends: whether what the file holds stays, before the rows of the run.
        """
        self._path = Path(os.path.realpath(path))
        self._unfinished = self._path.with_name(f".{uuid4().hex}{SUFFIX}")
        self._is_gzip, self._appends = gzip, appends
        self._found: tuple[int, ...] | None = None
        self._file: IO[bytes] | None = None
        self._member: GzipFile | None = None

    def take(self, data: bytes) -> None:
        """Write rows to the file that will replace the other.

        Raises:
            SinkError: it cannot be made or written; the message names the file and the reason.
        """
        with self._explained():
            file = self._file or self._open()
            (self._member or file).write(data)

    def commit(self, figures: Figures | None = None) -> list[str]:
        """Replace the file; return its URI, nothing where there was no row to append.

        Raises:
            SinkError: the file could not be replaced, or was changed since the first rows; it is as it was.
        """
        if self._file is None and self._appends:
            return []
        with self._explained():
            file = self._file or self._open()
            if self._member is not None:
                self._member.close()
            file.flush()
            os.fsync(file.fileno())
            file.close()
            if _identity(self._path) != self._found:
                raise self._refusal("something else has written to it during the run")
            os.replace(self._unfinished, self._path)
            _sync_folder(self._path.parent)
        return [self._path.as_uri()]

    def abort(self) -> None:
        """Remove what was written."""
        for file in (self._member, self._file):
            # On a full disk, closing fails as writing did.
            with suppress(OSError):
                if file is not None:
                    file.close()
        with suppress(OSError):
            self._unfinished.unlink(missing_ok=True)

    def _open(self) -> IO[bytes]:
        remove_abandoned(self._path.parent.glob(f".*{SUFFIX}"))
        self._found = _identity(self._path)
        if self._found is not None:
            self._take_over()
        self._file = self._unfinished.open("ab")
        if self._is_gzip:
            self._member = GzipFile(filename="", mode="wb", fileobj=self._file)
        elif self._file.tell() and not _ends_with_newline(self._unfinished):
            # Whatever wrote the last line did not end it; a row must not become a part of it.
            self._file.write(b"\n")
        return self._file

    def _take_over(self) -> None:
        """Take over the file's permissions and, to append, its content."""
        if not self._path.is_file():
            raise self._refusal("it is not a regular file")
        if self._appends:
            self._check_compression()
            shutil.copyfile(self._path, self._unfinished)
        else:
            self._unfinished.touch()
        shutil.copymode(self._path, self._unfinished)

    def _check_compression(self) -> None:
        with self._path.open("rb") as kept:
            start = kept.read(len(_GZIP_MAGIC))
        if start and (start == _GZIP_MAGIC) != self._is_gzip:
            raise self._refusal(f"it {'is not' if self._is_gzip else 'is'} compressed, unlike what is to be added")

    def _refusal(self, reason: str) -> SinkError:
        return SinkError(f"cannot write {self._path}: {reason}")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self.abort()
            if isinstance(error, OSError):
                raise self._refusal(error.strerror or type(error).__name__) from error
            raise


def _identity(path: Path) -> tuple[int, ...] | None:
    """What changes when a file is written or replaced; None while there is no file."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, before a checkpoint relies on it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
