"""Beat's scheduler, which leaves signs of life: a file for its launcher, and a row for other desks."""

import logging
import threading
from pathlib import Path
from typing import Any

from celery.beat import PersistentScheduler
from django.conf import settings
from django.db import DatabaseError, connection

from reporting.insights import beats
from reporting.models import Beat

logger = logging.getLogger(__name__)
BEAT_HEARTBEAT = "beat.heartbeat"
_SIGN_PAUSE_SECONDS = 10.0


class HeartbeatScheduler(PersistentScheduler):
    """Touches a file in VAR_DIR whenever it looks at the schedule, which it does every five seconds at least."""

    def setup_schedule(self) -> None:
        """Begin, and sign in the database from then on."""
        super().setup_schedule()
        # In a thread, so that a database that hangs does not hold up the schedule.
        threading.Thread(target=_sign_forever, name="beat-signs", daemon=True).start()

    def tick(self, *args: Any, **options: Any) -> float:
        """Look at the schedule; return the seconds until the next look."""
        Path(settings.VAR_DIR, BEAT_HEARTBEAT).touch()
        return float(super().tick(*args, **options))


def _sign_forever() -> None:
    beat, pause, said = beats.this_process(), threading.Event(), ""
    while True:
        found = _sign(beat)
        if found and found != said:
            logger.warning("%s", found)
        said = found
        pause.wait(_SIGN_PAUSE_SECONDS)


def _sign(beat: Beat) -> str:
    try:
        return beats.sign(beat)
    except DatabaseError as error:
        logger.warning("The scheduler could not sign in the database: %s", type(error).__name__)
        return ""
    finally:
        connection.close()
