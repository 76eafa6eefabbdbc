"""Every endpoint, fuzzed from the OpenAPI document with all of schemathesis' checks."""

import base64
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test.testcases import QuietWSGIRequestHandler

from reporting.feeds import FEEDS
from reporting.insights import automation
from tests.database import capture, export, record_follow_up, record_segment
from tests.environment import API_KEY
from tests.factories import quick_order_event, workflow_event

CONFIG = Path(__file__).with_name("fuzzing.toml")
SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"


@pytest.fixture
def rows(transactional_db):
    """A few rows of every feed, and what the jobs make of them."""
    capture([quick_order_event(), workflow_event()])
    record_segment()
    record_follow_up()
    automation.run()
    for feed_key in FEEDS:
        export(feed_key)


@pytest.fixture
def prompt_server(monkeypatch, live_server):
    """A server that sends small answers at once: waiting for acknowledgements costs 40 ms a request."""
    monkeypatch.setattr(QuietWSGIRequestHandler, "disable_nagle_algorithm", True)
    return live_server


def test_no_request_fails_a_check(prompt_server, settings, rows, operator, caplog):
    caplog.set_level(logging.ERROR, "django.request")
    settings.ANALYTICS_WEBHOOK_SECRETS = [SECRET]
    session = operator.cookies[settings.SESSION_COOKIE_NAME].value
    environment = {**os.environ, "FUZZ_API_KEY": API_KEY, "FUZZ_SESSION": session, "FUZZ_SECRET": SECRET}

    fuzzing = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, "run", f"{prompt_server.url}/api/schema/"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert fuzzing.returncode == 0, fuzzing.stdout + fuzzing.stderr
