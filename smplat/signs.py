"""Signs of life of schedulers and workers, their looks at the desk's health, and the alerts that come of them.

Every process that keeps the desk going does this in threads of its own: a queue that stands still, or a database that
hangs, holds up neither the schedule nor the signs of others, and as long as one process lives, somebody looks. Alerts
have a thread beside that of the looks, since the servers of others may hang.
"""

import logging
import threading
from collections.abc import Callable, Sequence

from django.db import DatabaseError, connection

from reporting.alerts import telling
from reporting.insights import beats, health, heartbeat
from reporting.models.beats import Beat

logger = logging.getLogger(__name__)
_PAUSE_SECONDS = 10.0


def begin(roles: Sequence[Beat.Role]) -> None:
    """Sign for this process in ``roles`` from now on, look at the desk in turn with the others, and send alerts."""
    signs, said = [beats.this_process(role) for role in roles], ""

    def sign_and_look() -> None:
        nonlocal said
        for sign in signs:
            beats.sign(sign)
        # Each of several schedulers says so itself, since their logs are apart.
        problem = beats.problem() if Beat.Role.SCHEDULER in roles else ""
        if problem and problem != said:
            logger.warning("%s", problem)
        said = problem
        health.look_in_turn()

    def tell() -> None:
        telling.deliver()
        heartbeat.beat()

    _repeat("signs", sign_and_look)
    _repeat("alerts", tell, first=heartbeat.start if Beat.Role.SCHEDULER in roles else None)


def _repeat(name: str, step: Callable[[], object], first: Callable[[], object] | None = None) -> None:
    threading.Thread(target=_repeat_forever, args=(step, first or step), name=name, daemon=True).start()


def _repeat_forever(step: Callable[[], object], first: Callable[[], object]) -> None:
    next_step, pause = first, threading.Event()
    while True:
        try:
            next_step()
        except DatabaseError as error:
            logger.warning("The database did not answer the thread of %s: %s", _thread(), type(error).__name__)
        except Exception:
            # Readers of the verdict notice when looks do not end; the log says why.
            logger.exception("The thread of %s has met a defect, and goes on.", _thread())
        finally:
            connection.close()
        next_step = step
        pause.wait(_PAUSE_SECONDS)


def _thread() -> str:
    return threading.current_thread().name
