"""What the desk shows of feeds that are fresh, late or adrift, and to whom it gives its controls."""

import pytest

from tests.e2e.pages import card, exported
from tests.factories import quick_order_event, workflow_event
from tests.http_client import HTTP

pytestmark = pytest.mark.browser

FEEDS = ("quick_order", "guardrail_workflow", "onboarding_segments", "guardrail_followups")


@pytest.fixture
def fresh(desk, operator):
    """The desk, whose telemetry feeds have just been exported."""
    exported(desk, operator, [quick_order_event()])
    exported(desk, operator, [workflow_event()], "guardrail_workflow")
    return desk


def test_fresh_feeds_are_not_marked(fresh, desk_page):
    desk_page.goto("/admin/reports")

    for feed in ("quick_order", "guardrail_workflow"):
        assert card(desk_page, feed).locator(".desk-state").all_inner_texts() == ["Succeeded"]


def test_a_late_feed_is_named_on_top_with_the_time_since_when(fresh, desk_page):
    with fresh.database() as session:
        session.execute(
            "UPDATE reporting_exportrun SET created_at = created_at - interval '5 hours',"
            " started_at = started_at - interval '5 hours', finished_at = finished_at - interval '5 hours'"
            " WHERE feed = 'guardrail_workflow'"
        )
    fresh.look()
    desk_page.goto("/admin/reports")

    late = desk_page.locator("#finding-late_feed-guardrail_workflow")
    assert late.get_by_text("Late: last successful run ended").is_visible()
    assert late.get_by_text("4 hours ago").is_visible()
    assert late.get_by_role("link", name="Run now").is_visible()
    assert card(desk_page, "guardrail_workflow").get_by_text("Late", exact=True).is_visible()
    assert not card(desk_page, "quick_order").get_by_text("Late", exact=True).is_visible()


def test_drift_over_5_percent_is_marked(desk, operator, desk_page):
    starts = [quick_order_event() for _ in range(600)]
    exported(desk, operator, starts)
    with desk.database() as session:
        session.execute(
            "DELETE FROM telemetry_quickorderevent WHERE event_id = ANY(%s::uuid[])",
            [[event["id"] for event in starts[:400]]],
        )
    desk_page.goto("/admin/reports")
    funnel = desk_page.locator("#funnel")

    assert funnel.get_by_text("Drift over 5 %").is_visible()
    assert "over 5" in funnel.locator("#funnel-startCount").inner_text()


def test_events_newer_than_the_export_are_no_drift(desk, operator, desk_page):
    exported(desk, operator, [quick_order_event() for _ in range(5)])
    HTTP.post(f"{desk.url}/api/telemetry", json=[quick_order_event() for _ in range(3)]).raise_for_status()
    desk_page.goto("/admin/reports")
    funnel = desk_page.locator("#funnel")

    assert funnel.get_by_text("3 newer than the export").is_visible()
    assert not funnel.get_by_text("Drift over 5 %").is_visible()


def test_the_cards_follow_new_runs_without_a_reload(desk, operator, desk_page):
    desk_page.clock.install()
    desk_page.goto("/admin/reports")
    before = card(desk_page).get_by_role("link", name="Open run").get_attribute("href")
    run = exported(desk, operator, [quick_order_event()])
    desk_page.clock.fast_forward(16_000)

    desk_page.locator(f"#open-quick_order[href='{run}']").wait_for()
    assert run != before


class TestWithoutPermissions:
    """A viewer sees everything and can do nothing."""

    def test_the_controls_are_absent(self, fresh, browse, viewer):
        page = browse(viewer)
        page.goto("/admin/reports")

        assert card(page).get_by_role("link", name="Open run").is_visible()
        assert page.get_by_role("link", name="Run now").count() == 0
        assert page.get_by_role("link", name="Download").count() == 0
        assert page.get_by_role("button", name="CSV").count() == 0

    @pytest.mark.parametrize("feed", FEEDS)
    def test_the_page_that_starts_a_run_is_refused_in_words(self, browse, viewer, feed):
        page = browse(viewer)
        answer = page.goto(f"/admin/reports/feeds/{feed}/start")

        assert answer.status == 403
        assert page.get_by_role("heading", name="Not allowed").is_visible()
        page.get_by_role("link", name="Back to the reports").click()
        page.wait_for_url("**/admin/reports")
