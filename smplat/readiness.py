"""Whether what the desk needs answers, found out within bounds however slow it is.

A part that hangs must not take the threads of the requests that ask for it. So each check has a thread of its own and
two seconds; one set of checks runs at a time, and whoever asks meanwhile, or within five seconds, gets what it found.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from reporting.lake import storage
from smplat.celery import app

logger = logging.getLogger(__name__)
_TIMEOUT_SECONDS = 2.0
_MAX_AGE_SECONDS = 5.0


class Readiness:
    """Runs checks and keeps what they found for a moment.

    Args:
        checks: by the name of the part, what raises an exception where the part is not ready.
    """

    def __init__(self, checks: Mapping[str, Callable[[], None]]) -> None:
        self._checks = checks
        self._pool = ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="readiness")
        self._under_way: dict[str, Future[None]] = {}
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Check anew when asked next."""
        self._found: dict[str, bool] = {}
        self._found_at = 0.0

    def results(self) -> dict[str, bool]:
        """Whether each part is ready, by its name; at most five seconds old."""
        with self._lock:
            if not self._found or time.monotonic() - self._found_at > _MAX_AGE_SECONDS:
                futures = {name: self._start(name) for name in self._checks}
                wait(futures.values(), timeout=_TIMEOUT_SECONDS)
                self._found = {name: self._has_passed(name, future) for name, future in futures.items()}
                self._found_at = time.monotonic()
            return self._found

    def _start(self, name: str) -> "Future[None]":
        """Start a check; one that still hangs from the last time is not started again beside it."""
        under_way = self._under_way.get(name)
        if under_way is None or under_way.done():
            under_way = self._under_way[name] = self._pool.submit(_on_own_session, self._checks[name])
        return under_way

    def _has_passed(self, name: str, future: "Future[None]") -> bool:
        problem = future.exception() if future.done() else TimeoutError()
        if problem is not None:
            logger.warning("%s is not ready: %s", name, type(problem).__name__)
        return problem is None


def _on_own_session(check: Callable[[], None]) -> None:
    """Run a check; the thread's database session ends with it, so that none is held for the next time."""
    try:
        check()
    finally:
        connection.close()


def _check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError("migrations are missing")


def _check_broker() -> None:
    with app.connection_for_write(connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, interval_start=1, timeout=2)
    folder = settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("data_folder_in")
    if folder and not os.access(folder, os.W_OK):
        raise PermissionError("the broker's folder cannot be written")


READINESS = Readiness(
    {
        "database": _check_database,
        "migrations": _check_migrations,
        "broker": _check_broker,
        "storage": storage.check,
    }
)
