"""What can befall exports: writers that commit late, runs that die at a step, databases that are restored."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from reporting.exports import claims, incremental_job, window_job
from reporting.feeds import FEEDS, fence
from reporting.feeds.shapes import model_of
from reporting.lake import storage
from reporting.models import ExportRun
from telemetry.models import kinds
from tests.database import capture_quick_orders, record_segments

_APPS = ("telemetry", "reporting")
_TIMEOUT_SECONDS = 30
_OLD = timedelta(days=100)


def write(feed: str, count: int) -> list[str]:
    """Write rows of a feed as its door does; return their ids."""
    return capture_quick_orders(count) if feed == "quick_order" else record_segments(count)


class LateWriter:
    """A transaction of a session of its own that has written two rows and is open until it is ended.

    Attributes:
        feed: the feed of the rows.
        ids: their ids.
    """

    def __init__(self, feed: str) -> None:
        self.feed = feed
        self.ids: list[str] = []
        self._written, self._may_end, self._commits = threading.Event(), threading.Event(), False
        self._thread = threading.Thread(target=self._write)
        self._thread.start()
        assert self._written.wait(_TIMEOUT_SECONDS)

    def end(self, commits: bool) -> None:
        """Commit or roll back."""
        self._commits = commits
        self._may_end.set()
        self._thread.join(_TIMEOUT_SECONDS)

    def _write(self) -> None:
        try:
            with transaction.atomic():
                self.ids = write(self.feed, 2)
                self._written.set()
                self._may_end.wait(_TIMEOUT_SECONDS)
                transaction.set_rollback(not self._commits)
        finally:
            connection.close()


class Killed(BaseException):
    """The process of a run is gone."""


class Steps:
    """The steps of a run, before and after each of which it can die.

    They are: claim, object, manifest, status, snapshot, move, close and the checkpoint's copy.
    """

    def __init__(self, monkeypatch: Any) -> None:
        self.has_died = False
        self._left = 0
        for owner, name in (
            (claims, "_start"),
            (storage, "write"),
            (window_job, "_replace_snapshot"),
            (window_job, "move"),
            (incremental_job, "move"),
            (ExportRun, "close"),
        ):
            monkeypatch.setattr(owner, name, self._deadly(getattr(owner, name)))

    def arm(self, step: int) -> None:
        """Have the next run die at the boundary of that number."""
        self.has_died, self._left = False, step

    def disarm(self) -> None:
        """Let runs live."""
        self.has_died, self._left = False, 0

    def _deadly(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **options: Any) -> Any:
            self._cross()
            result = function(*args, **options)
            self._cross()
            return result

        return stepped

    def _cross(self) -> None:
        """Die here, if it is time. Who is dead does nothing more, however it is called for cleaning up."""
        if self.has_died:
            raise Killed
        if self._left:
            self._left -= 1
            if not self._left:
                self.has_died = True
                # The session goes with its process, and its transaction and locks with the session.
                connection.connection.close()
                raise Killed


class Meanwhile:
    """Stands in for the clock of the fence: each of its pauses lets one thing happen.

    Attributes:
        acts: what is to happen, in this order.
    """

    monotonic = staticmethod(time.monotonic)

    def __init__(self, monkeypatch: Any) -> None:
        self.acts: list[Callable[[], None]] = []
        monkeypatch.setattr(fence, "time", self)

    def sleep(self, seconds: float) -> None:
        """Let the next thing happen, or wait."""
        if self.acts:
            self.acts.pop(0)()
        else:
            time.sleep(seconds)


class Backup:
    """The tables of both applications and the sequences of the positions, as they were.

    Attributes:
        committed: what was committed, by feed and id.
    """

    def __init__(self, committed: dict[str, dict[str, int]]) -> None:
        self.committed = committed
        self._positions = {table: _position(table) for table in _numbered()}
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS backup CASCADE; CREATE SCHEMA backup")
            cursor.execute("; ".join(f"CREATE TABLE backup.{table} AS TABLE {table}" for table in _tables()))

    def restore(self) -> None:
        """Put everything back."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(f"TRUNCATE {', '.join(_tables())} CASCADE")
            cursor.execute("; ".join(_put_back(model) for model in _models()))
            for table, position in self._positions.items():
                cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'position'), %s, %s)", [table, *position])

    def drop(self) -> None:
        """Remove the copies."""
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA backup CASCADE")


def empty_tables() -> None:
    """Empty the tables of both applications; positions go on."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(_tables())} CASCADE")


def age_rows() -> None:
    """Have all telemetry older than it is kept."""
    for model in kinds():
        model.objects.update(received_at=timezone.now() - _OLD)


def _models() -> list[type[Model]]:
    return [model for name in _APPS for model in apps.get_app_config(name).get_models()]


def _tables() -> list[str]:
    return [model._meta.db_table for model in _models()]


def _put_back(model: type[Model]) -> str:
    """The statement that fills a table from its copy, but for what PostgreSQL computes."""
    names = ", ".join(f'"{column.column}"' for column in model._meta.concrete_fields if not column.generated)
    table = model._meta.db_table
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM backup.{table}"  # noqa: S608 - names of ours


def _numbered() -> list[str]:
    return [model_of(feed)._meta.db_table for feed in FEEDS.values()]


def _position(table: str) -> tuple[int, bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'position')", [table])
        cursor.execute(f"SELECT last_value, is_called FROM {cursor.fetchone()[0]}")  # noqa: S608 - a sequence of ours
        return tuple(cursor.fetchone())
