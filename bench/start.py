"""How long a command takes that finds nothing new, against the start that every command had before decision 21.

The yardstick is a process that sets Django up, imports what was imported then (the URLs, Celery, boto3) and runs the
system checks. In turns on one machine it took 0.92 of the time of the export command at commit 5516e72, so the
bound is 0.35 / 0.92.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from bench.ratio import Ratio
from tests import ROOT
from tests.e2e.desk import Desk

_TURNS = 9
_BOUND = 0.38
_PYTHON = (sys.executable, "-W", "ignore")
_EXPORT = (*_PYTHON, "manage.py", "export_onboarding_pricing_segments")
_BEFORE = """
import django
django.setup()
import boto3, storages.backends.s3
import smplat.celery
from django.core import checks, management
from reporting.exports.sinks import webhook
from reporting.management import export_command
checks.run_checks()
"""


def measure(desk: Desk) -> Iterator[Ratio]:
    """Start both in turn."""
    environment = {**desk.environment, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "smplat.settings"}
    times: dict[tuple[str, ...], list[float]] = {_EXPORT: [], (*_PYTHON, "-c", _BEFORE): []}
    for _ in range(_TURNS):
        for command, taken in times.items():
            started = time.perf_counter()
            subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
            taken.append(time.perf_counter() - started)
    export, before = map(statistics.median, times.values())
    detail = f"{export * 1000:.0f} ms, {before * 1000:.0f} ms"
    yield Ratio("export with nothing new / start with everything", export / before, _BOUND, False, detail)
