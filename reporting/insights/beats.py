"""Signs of life, and whether one scheduler alone runs on this database, and writes to one lake."""

import os
import socket
from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from reporting.models import Beat

_KEPT_FOR = timedelta(days=7)


def this_process(role: Beat.Role) -> Beat:
    """This process in a role that it has."""
    host = socket.gethostname()
    lake = f"{settings.LAKE_URI} on {host}" if settings.LAKE_URI.startswith("file:") else settings.LAKE_URI
    return Beat(role=role, host=host, process=os.getpid(), lake=lake)


def sign(beat: Beat) -> None:
    """Note that ``beat`` runs, and forget those that ended long ago."""
    Beat.objects.sign(beat)
    Beat.objects.filter(seen_at__lt=Now() - _KEPT_FOR).delete()


def problem() -> str:
    """What is wrong with the schedulers, in sentences; empty where nothing is."""
    together = list(Beat.objects.together())
    if len(together) < 2:
        return ""
    names = " and ".join(str(beat) for beat in together)
    lakes = sorted({beat.lake for beat in together})
    sentence = (
        f"{len(together)} schedulers run on this database: {names}. Every job is started by each; stop all but one."
    )
    if len(lakes) > 1:
        sentence += f" They write to {len(lakes)} lakes, and no lake holds all rows: {', '.join(lakes)}."
    return sentence
