"""Signs of life of schedulers and workers, and their looks at the desk's health.

Every process that keeps the desk going does both in a thread of its own: a queue that stands still, or a database that
hangs, holds up neither the schedule nor the signs of others, and as long as one process lives, somebody looks.
"""

import logging
import threading
from collections.abc import Sequence

from django.db import DatabaseError, connection

from reporting.insights import beats, health
from reporting.models.beats import Beat

logger = logging.getLogger(__name__)
_PAUSE_SECONDS = 10.0


def begin(roles: Sequence[Beat.Role]) -> None:
    """Sign for this process in ``roles`` from now on, and look at the desk in turn with the others."""
    threading.Thread(target=_sign_forever, args=(roles,), name="signs", daemon=True).start()


def _sign_forever(roles: Sequence[Beat.Role]) -> None:
    signs, pause = [beats.this_process(role) for role in roles], threading.Event()
    while True:
        try:
            for sign in signs:
                beats.sign(sign)
            health.look_in_turn()
        except DatabaseError as error:
            logger.warning("The database did not take a sign of life: %s", type(error).__name__)
        except Exception:
            # Readers of the verdict notice when looks do not end; the log says why.
            logger.exception("The look at the desk's health failed.")
        finally:
            connection.close()
        pause.wait(_PAUSE_SECONDS)
