"""A worker whose clock is wrong for a moment: nothing waits for as long as the clock was ahead."""

import os
import subprocess
import sys

import pytest

from reporting.alerts import outbox
from reporting.models.messages import FOLLOW_UPS
from telemetry import forwarding
from tests import ROOT
from tests.database import database_url
from tests.fakes import fake_server
from tests.faults.checker import clock

DELIVER = """
import django; django.setup()
from reporting.alerts import outbox
from telemetry import forwarding
outbox.put("written ahead of time", "GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK", "text")
forwarding.queue(b"queued ahead of time", "text/plain")
print(outbox.deliver(), forwarding.deliver())
"""


@pytest.fixture
def server(settings):
    """Slack and the analytics endpoint, to which the settings point."""
    with fake_server() as server:
        setattr(settings, FOLLOW_UPS, server.url)
        settings.TELEMETRY_ENDPOINT = server.url
        yield server


@pytest.mark.django_db(transaction=True)
def test_slack_and_forwarding_go_on_when_it_is_right_again(server, tmp_path):
    clock.step(tmp_path / "clock", 3_600)
    ahead = {clock.VARIABLE: str(tmp_path / "clock"), "DJANGO_SETTINGS_MODULE": "tests.faults.checker.settings"}
    addresses = {"DATABASE_URL": database_url(), FOLLOW_UPS: server.url, "TELEMETRY_ENDPOINT": server.url}

    worker = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DELIVER],
        cwd=ROOT,
        env=os.environ | ahead | addresses,
        capture_output=True,
        text=True,
    )
    assert worker.stdout == "1 1\n", worker.stderr
    outbox.put("written later", FOLLOW_UPS, "text")
    forwarding.queue(b"queued later", "text/plain")

    assert (outbox.deliver(), forwarding.deliver()) == (1, 1)
