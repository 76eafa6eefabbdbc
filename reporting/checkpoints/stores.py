"""Checkpoints: how far a sink has got, kept in the database, in a file or in the lake, behind one interface.

The database also keeps the history: every move, from where to where, by which run and whom. What a checkpoint holds
is in :mod:`reporting.checkpoints.content`; moves on purpose are in :mod:`reporting.checkpoints.rewinds`.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson

from reporting.checkpoints.content import MAX_BYTES, CheckpointError, Point, check_history, check_position, parse
from reporting.checkpoints.moves import move
from reporting.lake import storage
from reporting.models import Checkpoint, ExportRun
from smplat.lib.times import iso

__all__ = [
    "CheckpointError",
    "CheckpointStore",
    "DatabaseStore",
    "FileStore",
    "LakeStore",
    "NoStore",
    "Point",
    "move",
    "parse",
    "reconcile",
    "starting_point",
]


class CheckpointStore(Protocol):
    """Keeps the checkpoint of one feed."""

    @property
    def name(self) -> str:
        """Where the checkpoint lies, for messages."""

    def read(self) -> Point | None:
        """The checkpoint, None where there is none yet.

        Raises:
            CheckpointError: there is one, but it cannot be read or is corrupt.
        """

    def write(self, point: Point) -> None:
        """Replace the checkpoint at once: a reader sees the old one or the new, and nothing between.

        Raises:
            CheckpointError: it could not be written; the old one is untouched.
        """


@dataclass(frozen=True)
class NoStore:
    """Keeps nothing."""

    name: str = "nowhere"

    def read(self) -> None:
        """Know of no checkpoint."""

    def write(self, point: Point) -> None:
        """Forget ``point``."""


@dataclass(frozen=True)
class DatabaseStore:
    """Keeps the checkpoint in the database, with the history of its moves.

    Attributes:
        feed: the feed's key.
        run: the run that moves the checkpoint, if there is one.
    """

    feed: str
    run: ExportRun | None = None
    name: str = "in the database"

    def read(self) -> Point | None:
        """The checkpoint, None where there is none yet."""
        row = Checkpoint.objects.filter(pk=self.feed).first()
        if row is None:
            return None
        try:
            check_position(row.position, self.feed)
        except ValueError as error:
            raise CheckpointError(f"the checkpoint of {self.feed} {self.name} cannot be used: {error}") from error
        return Point(self.feed, iso(row.cursor), row.position, row.rows, iso(row.updated_at))

    def write(self, point: Point) -> None:
        """Move the checkpoint, and keep the move."""
        move(self.feed, point, run=self.run)


@dataclass(frozen=True)
class LakeStore:
    """Keeps the checkpoint in an object of the lake.

    Attributes:
        uri: the object, ``s3://`` or ``file://``.
        feed: the feed's key.
        has_database: whether the feed's rows lie in the database of this process.
    """

    uri: str
    feed: str
    has_database: bool = True

    @property
    def name(self) -> str:
        """The object's URI."""
        return self.uri

    def read(self) -> Point | None:
        """The checkpoint, None where there is no such object."""
        content = _content(self.uri)
        return None if content is None else parse(content, self.feed, self.name, has_database=self.has_database)

    def write(self, point: Point) -> None:
        _replace(self.uri, point)


@dataclass(frozen=True)
class FileStore:
    """Keeps the checkpoint in a file of this machine.

    Attributes:
        path: the file; a symbolic link stays one, and what it points to is replaced.
        feed: the feed's key.
        has_database: whether the feed's rows lie in the database of this process.
    """

    path: str | Path
    feed: str
    has_database: bool = True

    @property
    def name(self) -> str:
        """The path, as it was given."""
        return str(self.path)

    def read(self) -> Point | None:
        """The checkpoint, None where there is no such file."""
        content = _content(self._uri)
        return None if content is None else parse(content, self.feed, self.name, has_database=self.has_database)

    def write(self, point: Point) -> None:
        _replace(self._uri, point)

    @property
    def _uri(self) -> str:
        return Path(os.path.realpath(self.path)).as_uri()


def _content(uri: str) -> bytes | None:
    """What lies at ``uri``, as far as a checkpoint can reach; None where there is nothing."""
    content = b""
    try:
        for chunk in storage.read(uri):
            content += chunk
            if len(content) > MAX_BYTES:
                break
    except storage.ObjectNotFoundError:
        return None
    except storage.LakeError as error:
        raise CheckpointError(f"the checkpoint cannot be read: {error}") from error
    return content


def _replace(uri: str, point: Point) -> None:
    try:
        storage.write(uri, orjson.dumps(point.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except storage.LakeError as error:
        raise CheckpointError(f"the checkpoint cannot be written: {error}") from error


def reconcile(database: Point | None, mirror: Point | None) -> tuple[Point | None, str | None]:
    """Decide between the database's checkpoint and its copy, as docs/adr/0006-the-database-checkpoint-wins.md says.

    Returns:
        The checkpoint to go on from, and what the run's log should say about it, if anything.
    """
    if database is None:
        note = f"The database holds no checkpoint; the copy's is taken over: {mirror}."
        return mirror, note if mirror else None
    if mirror is None or _is_same(database, mirror):
        return database, None
    return database, (
        f"The copy of the checkpoint stands at {mirror}, the database's at {database}. The database's counts; "
        "the copy is overwritten."
    )


def _is_same(database: Point, mirror: Point) -> bool:
    # A copy that knows times alone cannot differ in the position.
    return mirror.cursor == database.cursor and mirror.position in {None, database.position}


def starting_point(database: CheckpointStore, mirror: CheckpointStore) -> tuple[Point | None, str | None]:
    """Read the database's checkpoint and its copy, and decide between them by :func:`reconcile`.

    Raises:
        CheckpointError: one of them cannot be used, and the other does not stand in for it.
    """
    point = database.read()
    try:
        copy = mirror.read()
        if point is None and copy is not None:
            check_history(copy, mirror.name)
        return reconcile(point, copy)
    except CheckpointError as error:
        if point is None:
            raise
        return point, f"Of the checkpoint's copy: {error}. The database's counts; the copy is overwritten."
