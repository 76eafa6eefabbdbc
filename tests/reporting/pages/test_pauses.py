"""Pausing the schedule of a feed: nothing is exported by it, and nothing else is held up."""

import pytest

from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.models import AuditEntry, ExportRun, FeedPause
from tests.database import capture_quick_orders, export

FEED = "/admin/reports/feeds/quick_order"

pytestmark = pytest.mark.django_db


def shown(client, path: str) -> str:
    return " ".join(client.get(path).content.decode().split())


def test_a_paused_feed_is_not_exported_on_schedule_and_by_hand_it_is(operator):
    capture_quick_orders()
    operator.post(f"{FEED}/pause", {"reason": "They are moving."})

    assert runs.perform_on_schedule(FEEDS["quick_order"]) is None
    assert not ExportRun.objects.exists()
    assert export().state == ExportRun.State.SUCCEEDED


def test_the_card_says_who_paused_it_and_why(operator):
    operator.post(f"{FEED}/pause", {"reason": "They are moving."})

    page = shown(operator, "/admin/reports/cards")

    assert "Paused by operator" in page
    assert ": They are moving.</dd>" in page
    assert 'id="resume-quick_order"' in page
    assert 'id="resume-onboarding_segments"' not in page


def test_a_resumed_feed_is_exported_on_schedule_again(operator):
    capture_quick_orders()
    operator.post(f"{FEED}/pause", {"reason": "They are moving."})
    operator.post(f"{FEED}/resume")
    operator.post(f"{FEED}/resume")

    run = runs.perform_on_schedule(FEEDS["quick_order"])

    assert run is not None
    assert run.state == ExportRun.State.SUCCEEDED
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["pause_feed", "resume_feed"]


def test_a_second_reason_replaces_the_first_and_not_the_time(operator):
    operator.post(f"{FEED}/pause", {"reason": "a"})
    since = FeedPause.objects.get().since

    operator.post(f"{FEED}/pause", {"reason": "b"})

    assert (FeedPause.objects.get().reason, FeedPause.objects.get().since) == ("b", since)


@pytest.mark.parametrize("reason", ["", "x" * 501])
def test_a_reason_that_is_none_is_explained(operator, reason):
    answer = operator.post(f"{FEED}/pause", {"reason": reason}, follow=True)

    assert "Nothing was paused. Reason: " in answer.content.decode()
    assert not FeedPause.objects.exists()
