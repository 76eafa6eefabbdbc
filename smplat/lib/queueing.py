"""Handing work to the workers, by the name of its task, without waiting for a broker that is away."""

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from celery.canvas import Signature

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 0.5
#: After a failure nobody asks the broker for so long.
PAUSE_SECONDS = 5.0


class _Publisher:
    """Publishes in a thread of its own, so that a broker that says nothing keeps nobody who asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Ask the broker anew."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="publish")
        self._silent_until = 0.0
        self._hanging: Future[object] | None = None

    def publish(self, task: "Signature[object]") -> None:
        """Publish a task.

        Raises:
            OSError: the broker cannot be reached, does not answer in time, or did so a moment ago.
            kombu.exceptions.OperationalError: the same, in the words of the broker's client.
        """
        if time.monotonic() < self._silent_until or (self._hanging and not self._hanging.done()):
            raise ConnectionError("it could not be reached a moment ago")
        # A broker takes one message after the other anyway, and those who wait have the same half second.
        future: Future[object] = self._pool.submit(task.delay)
        try:
            future.result(TIMEOUT_SECONDS)
        except Exception:
            with self._lock:
                self._silent_until = time.monotonic() + PAUSE_SECONDS
                if not future.done() and not future.cancel():
                    self._hanging = future
            raise


PUBLISHER = _Publisher()


def queue_task(name: str, *arguments: str) -> bool:
    """Queue a task; a broker that cannot be reached is logged, and fails nothing.

    It is waited for half a second at most, and not asked for five seconds after a failure. A message that was given up
    may arrive all the same, so tasks have to bear that they are queued twice.

    Args:
        name: the name under which the task is registered; whoever queues it need not import it.
        arguments: what the task is given.

    Returns:
        Whether the broker took it.
    """
    # Few commands queue anything, and none should wait for Celery to be imported before it knows that it does.
    from kombu.exceptions import OperationalError

    app = import_string(settings.TASK_APPLICATION)
    task = app.signature(name, args=arguments)
    try:
        if app.conf.task_always_eager:
            task.delay()
        else:
            PUBLISHER.publish(task)
    except (OperationalError, OSError) as error:
        logger.warning("%s is not queued, the broker cannot be reached: %s", name, type(error).__name__)
        return False
    return True
