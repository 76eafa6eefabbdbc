"""Beat's scheduler, which leaves signs of life: a file for its launcher, and a row for everybody else."""

from pathlib import Path
from typing import Any

from celery.beat import PersistentScheduler
from django.conf import settings

from reporting.models.beats import Beat
from smplat import signs

BEAT_HEARTBEAT = "beat.heartbeat"


class HeartbeatScheduler(PersistentScheduler):
    """Touches a file in VAR_DIR whenever it looks at the schedule, which it does every five seconds at least."""

    def setup_schedule(self) -> None:
        """Begin, and sign in the database from then on."""
        super().setup_schedule()
        signs.begin([Beat.Role.SCHEDULER])

    def tick(self, *args: Any, **options: Any) -> float:
        """Look at the schedule; return the seconds until the next look."""
        Path(settings.VAR_DIR, BEAT_HEARTBEAT).touch()
        return float(super().tick(*args, **options))
