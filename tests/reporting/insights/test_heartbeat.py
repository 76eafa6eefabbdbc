"""The dead man's switch: called each minute while all is well, and told when not."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from reporting.insights import health, heartbeat
from reporting.models import Beat, HealthLook, WebhookDestination
from tests.fakes import closed_port_url, fake_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def switch(settings, tmp_path):
    """What listens at HEARTBEAT_URL, of a desk that is well."""
    settings.VAR_DIR = tmp_path
    for role in Beat.Role:
        Beat.objects.create(role=role, host="a", process=1, lake="x", started_at=Now() - timedelta(hours=1))
    health.look()
    with fake_server() as server:
        settings.HEARTBEAT_URL = f"{server.url}/ping"
        yield server


def test_it_is_called_once_a_minute_while_all_is_well(switch):
    heartbeat.start()
    heartbeat.beat()
    heartbeat.beat()
    assert [each.path for each in switch.heard] == ["/ping/start", "/ping"]

    HealthLook.objects.update(reported_at=Now() - timedelta(seconds=60))
    heartbeat.beat()

    assert [each.path for each in switch.heard] == ["/ping/start", "/ping", "/ping"]


def test_it_says_what_is_wrong(switch):
    WebhookDestination.objects.disable("ANALYTICS_SEGMENTS_WEBHOOK", "410")
    health.look()

    heartbeat.beat()

    (heard,) = switch.heard
    assert heard.path == "/ping/fail"
    assert heard.body.startswith(b"destination_disabled onboarding_segments: ANALYTICS_SEGMENTS_WEBHOOK has unsub")


def test_one_that_cannot_be_reached_is_logged_without_its_address(switch, settings, caplog):
    settings.HEARTBEAT_URL = f"{closed_port_url()}/a-secret"

    heartbeat.beat()

    assert "HEARTBEAT_URL could not be reached: ConnectError" in caplog.text
    assert "a-secret" not in caplog.text


def test_nothing_is_called_without_the_setting(switch, settings):
    settings.HEARTBEAT_URL = ""

    heartbeat.start()
    heartbeat.beat()

    assert switch.heard == []
