"""The settings of the desk under test: its own, with jobs every few seconds and a clock that can be stepped."""

from typing import Any

from celery import Celery

from smplat.celery import app
from smplat.settings import *  # noqa: F403
from tests.faults.checker import clock

clock.install()
_INCREMENTAL_SECONDS, _WINDOW_SECONDS, _OTHER_SECONDS = 3.0, 8.0, 5.0
_INTERVALS = {
    "export onboarding_segments": _INCREMENTAL_SECONDS,
    "export guardrail_followups": _INCREMENTAL_SECONDS,
    "export quick_order": _WINDOW_SECONDS,
    "export guardrail_workflow": _WINDOW_SECONDS,
    "close crashed runs": _OTHER_SECONDS,
    "deliver slack": _OTHER_SECONDS,
    "fold ledger": _OTHER_SECONDS,
    "fold conversions": _OTHER_SECONDS,
}


@app.on_after_configure.connect
def _hurry(sender: Celery, **_: Any) -> None:
    for name, seconds in _INTERVALS.items():
        sender.conf.beat_schedule[name].update(schedule=seconds, options={"expires": int(seconds)})
