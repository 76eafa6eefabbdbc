"""Follow-ups and the slice of conversions that they carry, in a real browser."""

import uuid

import httpx
import pytest

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def experiments(desk) -> list[str]:
    """The slugs of two experiments that an order was assigned to, in the order of the page."""
    slugs = ["anchor-pricing", "bundle-pricing"]
    with desk.client() as storefront:
        assignments = [
            {
                "slug": slug,
                "variantKey": "treatment",
                "variantName": "Treatment",
                "isControl": False,
                "assignmentStrategy": "random",
                "status": "running",
                "featureFlagKey": None,
            }
            for slug in slugs
        ]
        storefront.post(
            f"/api/v1/orders/{uuid.uuid4()}/onboarding/pricing-experiments", json={"experiments": assignments}
        ).raise_for_status()
    return slugs


def test_a_follow_up_is_recorded_and_heads_the_queue_and_the_timeline(desk_page):
    desk_page.goto("/admin/reports")
    form = desk_page.locator("#record")
    form.get_by_label("Pause").check()
    form.get_by_label("Provider id").fill("provider-of-a-browser")
    form.get_by_label("Provider name").fill("Browser <b>& Sons</b>")
    form.get_by_label("Notes").fill("Stalled <script>alert(1)</script>; paused until Monday.")
    form.get_by_role("button", name="Record follow-up").click()
    newest = desk_page.locator("#followups .followup").first

    assert newest.get_by_text("Stalled <script>alert(1)</script>; paused until Monday.").is_visible()
    assert newest.get_by_text("paused", exact=True).is_visible()
    newest.get_by_role("link", name="Browser <b>& Sons</b>").click()
    assert desk_page.locator("#timeline").get_by_text("paused", exact=True).is_visible()
    assert desk_page.locator("#timeline .followup").count() == 1


def test_a_follow_up_that_lacks_its_provider_keeps_what_was_typed(desk_page):
    desk_page.goto("/admin/reports")
    form = desk_page.locator("#record")
    form.get_by_label("Escalate").check()
    # A browser would ask for the field itself; the server must too.
    form.evaluate("form => form.noValidate = true")
    form.get_by_label("Notes").fill("Whose was it?")
    form.get_by_role("button", name="Record follow-up").click()

    assert form.get_by_role("alert").first.is_visible()
    assert form.get_by_label("Notes").input_value() == "Whose was it?"


def test_a_slice_of_conversions_is_pinned_carried_by_a_follow_up_and_let_go(desk, experiments, desk_page):
    first, second = experiments
    desk_page.goto(f"/admin/reports?conversionCursor={first}")
    conversions = desk_page.locator("#conversions")
    assert conversions.get_by_text("Showing experiments after").is_visible()
    assert conversions.get_by_role("rowheader", name=second).is_visible()
    assert conversions.get_by_role("rowheader", name=first).count() == 0

    form = desk_page.locator("#record")
    form.get_by_label("Escalate").check()
    form.get_by_label("Provider id").fill("provider-of-a-slice")
    form.get_by_role("button", name="Record follow-up").click()
    desk_page.wait_for_load_state()
    assert desk_page.locator("#followups .followup").first.get_by_text(f"pinned to {first}").is_visible()
    with desk.client() as client:
        entry = client.get("/api/v1/reporting/guardrails/followups?providerId=provider-of-a-slice").json()["entries"][0]
    assert entry["conversionCursor"] == first

    conversions.get_by_role("link", name="Back to live").click()
    assert conversions.get_by_text("Live", exact=True).is_visible()
    assert conversions.get_by_role("rowheader", name=first).is_visible()


def test_a_viewer_reads_the_queue_and_records_nothing(desk, browse, viewer):
    page = browse(viewer)
    page.goto("/admin/reports")

    assert page.get_by_role("heading", name="Latest follow-ups").is_visible()
    assert page.locator("#record").count() == 0
    answer = viewer.post(
        "/admin/reports",
        data={"action": "pause", "provider_id": "p", "csrfmiddlewaretoken": viewer.cookies["csrftoken"]},
        headers={"Referer": desk.url},
    )
    assert answer.status_code == httpx.codes.FORBIDDEN
