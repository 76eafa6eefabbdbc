"""Several processes that read one snapshot of the database, each a part of the rows.

The parts come one after the other. This process reads the first itself; the others are read into files without a name
meanwhile, and follow when it is their turn. A worker is a fork, which starts at once and knows the rows already; it has
a database session of its own.
"""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import IO

from django.conf import settings
from django.db import connection, connections, transaction
from psycopg import sql

from reporting.exports.sinks import SinkError
from reporting.feeds.lines import Block, RowRange

_CHUNK_BYTES = 262_144
Read = Callable[[RowRange], Iterator[Block]]


class WorkerError(SinkError):
    """A worker did not read its part to the end; the message says why."""


@contextmanager
def snapshot(shared: str | None = None) -> Iterator[None]:
    """A transaction whose statements all see the database as it is now.

    Args:
        shared: the snapshot of another transaction, to see what that sees; None for one of its own.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if shared is not None:
            cursor.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(shared)))
        yield


def blocks_of_workers(parts: list[RowRange], read: Read) -> Iterator[Block]:
    """The rows of ``parts``, one after the other, each read by a process of its own; within :func:`snapshot`.

    Args:
        parts: the rows, one part at least.
        read: reads a part.

    Raises:
        WorkerError: one of the processes has failed, or was killed.
        OSError: a file cannot be made, or read.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        (shared,) = cursor.fetchone()
    workers: list[_Worker] = []
    try:
        for part in parts[1:]:
            workers.append(_Worker.start(part, read, shared))
        yield from read(parts[0])
        for worker in workers:
            yield from worker.blocks()
    finally:
        for worker in workers:
            worker.stop()


@dataclass(frozen=True)
class _Worker:
    process: BaseProcess
    said: Connection
    spool: IO[bytes]

    @classmethod
    def start(cls, part: RowRange, read: Read, shared: str) -> "_Worker":
        settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
        spool = tempfile.TemporaryFile(dir=settings.SPOOL_DIR)  # noqa: SIM115 - see stop()
        said, saying = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=_spool, args=(part, read, shared, spool, saying, os.getpid())
        )
        process.start()
        saying.close()
        return cls(process, said, spool)

    def blocks(self) -> Iterator[Block]:
        """What the worker has read, once it is done."""
        try:
            outcome = self.said.recv()
        except EOFError:
            self.process.join()
            outcome = f"it ended with exit code {self.process.exitcode}"
        if not isinstance(outcome, int):
            raise WorkerError(f"a worker could not read its part: {outcome}")
        self.spool.seek(0)
        rows = outcome
        while data := self.spool.read(_CHUNK_BYTES):
            yield Block(rows, data)
            rows = 0

    def stop(self) -> None:
        """End the process, if it still runs, and remove its file."""
        self.process.kill()
        self.process.join()
        self.said.close()
        self.spool.close()


def _spool(part: RowRange, read: Read, shared: str, spool: IO[bytes], saying: Connection, parent: int) -> None:
    """Read a part into ``spool``, and say how many rows it has, or why it could not be read."""
    # Ctrl-C reaches the whole group of processes; the parent says so, and stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The session of the parent is still the parent's.
    inherited, connections["default"] = connections["default"], connections.create_connection("default")
    rows = 0
    try:
        with snapshot(shared):
            for block in read(part):
                if os.getppid() != parent:
                    return
                spool.write(block.data)
                rows += block.rows
        spool.flush()
    except Exception as error:
        saying.send(str(error).strip() or type(error).__name__)
    else:
        saying.send(rows)
    finally:
        connection.close()
        del inherited
