"""Every operator page: accessible in both themes, within its window, and readable without scripts."""

import re
import uuid

import pytest

from tests.e2e.pages import ONBOARDING, REPORTS, RUNS, card, exported, sign_in, use_theme, violations, wait_until_done
from tests.factories import quick_order_event, workflow_event
from tests.http_client import HTTP

pytestmark = pytest.mark.browser

STATES = ("queued", "running", "succeeded", "failed", "skipped")
# The theme names each of its own scroll boxes "scrollable content".
THEME_SCROLL_BOX = "#nav-sidebar-apps"


@pytest.fixture(scope="module")
def paths(desk, operator) -> dict[str, str]:
    """The path of every operator page, by its name, on a desk with rows, late feeds and runs of every state."""
    order = uuid.uuid4()
    with desk.client() as storefront:
        run = exported(desk, operator, _quick_orders())
        storefront.post("/api/telemetry", json=workflow_event()).raise_for_status()
        storefront.post("/api/telemetry", json=[{"name": 7}, quick_order_event(id=7)]).raise_for_status()
        storefront.post(
            f"/api/v1/orders/{order}/onboarding/pricing-experiments", json={"experiments": [_experiment()]}
        ).raise_for_status()
        for action in ("pause", "escalate"):
            storefront.post("/api/v1/reporting/guardrails/followups", json=_follow_up(action)).raise_for_status()
        event = storefront.get("/api/telemetry/quick-order/export?limit=1").json()["id"]
    states = _runs_of_all_states(desk)
    desk.look()
    return {
        "reports": REPORTS,
        "a provider's timeline": f"{REPORTS}?providerId=provider-viralhub",
        "a pinned slice": f"{REPORTS}?conversionCursor=a",
        "rows of follow-ups": f"{REPORTS}?rows=guardrail_followups",
        "history": RUNS,
        "run": run,
        **{f"{state} run": f"{RUNS}{states[state]}" for state in STATES},
        "history with a bad filter": f"{RUNS}?since=yesterday",
        "preview": f"{REPORTS}/feeds/quick_order/start",
        "record": f"{REPORTS}/feeds/quick_order/records/{event}",
        "onboarding": ONBOARDING,
        "journey": f"{ONBOARDING}/orders/{order}",
        "refused": "/admin/reports/refused",
        "alerts": "/admin/reports/alerts",
        "roles": "/admin/reports/roles",
        "a new exception of alerts": "/admin/reporting/alertrule/add/",
        "checkpoint": "/admin/reporting/checkpoint/quick_order/change/",
        "rewind": "/admin/reporting/checkpoint/quick_order/rewind/",
        "audit log": "/admin/reporting/auditentry/",
        "not found": "/admin/nowhere",
    }


PAGES = (
    "reports",
    "a provider's timeline",
    "a pinned slice",
    "rows of follow-ups",
    "history",
    "run",
    *(f"{state} run" for state in STATES),
    "history with a bad filter",
    "preview",
    "record",
    "onboarding",
    "journey",
    "refused",
    "alerts",
    "roles",
    "a new exception of alerts",
    "checkpoint",
    "rewind",
    "audit log",
    "not found",
)


def _quick_orders() -> list[dict]:
    names = ("start", "start", "abort", "complete")
    return [
        quick_order_event(name=f"quick_order.{name}", reason="the price <b>rose</b>" if name == "abort" else None)
        for name in names
    ]


def _experiment() -> dict:
    return {
        "slug": "pricing-anchor",
        "variantKey": "control",
        "variantName": "Control",
        "isControl": True,
        "assignmentStrategy": "deterministic",
        "status": "running",
        "featureFlagKey": None,
    }


def _follow_up(action: str) -> dict:
    return {
        "providerId": "provider-viralhub",
        "providerName": "ViralHub",
        "action": action,
        "notes": "Deliveries <b>stalled</b>; watch them.",
    }


def _runs_of_all_states(desk) -> dict[str, str]:
    keys = {state: str(uuid.uuid4()) for state in STATES}
    with desk.database() as session:
        for state, key in keys.items():
            session.execute(
                "INSERT INTO reporting_exportrun (id, feed, trigger, state, created_at, object_uri, error)"
                " VALUES (%s, 'guardrail_workflow', 'schedule', %s, now() - interval '3 hours', '', %s)",
                [key, state, "The lake cannot be reached." if state == "failed" else ""],
            )
    return keys


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_in_both_themes(paths, desk_page, name):
    desk_page.goto(paths[name])

    for theme in ("light", "dark"):
        use_theme(desk_page, theme)
        assert violations(desk_page, THEME_SCROLL_BOX) == [], theme


@pytest.mark.parametrize("path", ["/admin/login/", "/nowhere"])
def test_a_page_for_strangers_is_accessible_in_both_themes(page, path):
    page.goto(path)

    for theme in ("light", "dark"):
        use_theme(page, theme)
        assert violations(page) == [], theme


def test_a_refusal_is_accessible_in_both_themes(browse, viewer):
    page = browse(viewer)
    page.goto(f"{REPORTS}/feeds/quick_order/start")

    for theme in ("light", "dark"):
        use_theme(page, theme)
        assert violations(page) == [], theme


def test_the_dark_theme_is_chosen_by_hand_and_kept(desk_page):
    desk_page.goto(REPORTS)
    desk_page.get_by_text("admin", exact=True).click()
    desk_page.get_by_text("Dark", exact=True).click()
    desk_page.reload()

    desk_page.locator("html.dark").wait_for()
    background = desk_page.locator("#feed-quick_order").evaluate("card => getComputedStyle(card).backgroundColor")
    assert background != "rgb(255, 255, 255)"


@pytest.mark.parametrize("width", [360, 1440])
def test_no_page_scrolls_sideways(paths, browse, operator, width):
    page = browse(operator, viewport={"width": width, "height": 800})
    widths = {}
    for name in PAGES:
        page.goto(paths[name])
        widths[name] = page.evaluate("document.documentElement.scrollWidth")

    assert {name: found for name, found in widths.items() if found > width} == {}


class TestWithoutScripts:
    @pytest.fixture
    def plain(self, browse, operator, paths):
        """A page of an operator whose browser runs no scripts."""
        return browse(operator, java_script_enabled=False)

    def test_one_can_sign_in(self, browse):
        page = browse(java_script_enabled=False)
        page.goto(REPORTS)
        sign_in(page)

        assert page.get_by_role("heading", name="Reports").is_visible()

    def test_the_reports_can_be_read(self, plain):
        plain.goto(REPORTS)

        for section in ("health", "feed-quick_order", "funnel", "workflow", "rows"):
            assert plain.locator(f"#{section}").is_visible()
        # Nothing lies over the page: what scripts open on demand stays shut.
        plain.get_by_role("link", name="Rows and CSV").click()
        assert plain.url.endswith("#rows")

    def test_the_tabs_of_the_rows_are_links(self, plain):
        plain.goto(REPORTS)
        plain.locator("#rows").get_by_role("link", name="Guardrail follow-ups").click()

        plain.wait_for_url(re.compile("guardrail_followups"))
        assert plain.locator("#rows th").get_by_text("follow_up_id").is_visible()

    def test_the_history_can_be_filtered(self, plain):
        plain.goto(RUNS)
        plain.get_by_label("State").select_option("failed")
        plain.get_by_role("button", name="Filter").click()

        assert set(plain.locator("tbody .desk-state").all_inner_texts()) == {"Failed"}

    def test_a_run_can_be_started_and_followed(self, desk, plain):
        HTTP.post(f"{desk.url}/api/telemetry", json=quick_order_event()).raise_for_status()
        plain.goto(REPORTS)
        card(plain).get_by_role("link", name="Run now").click()
        plain.get_by_role("button", name="Start the run").click()

        wait_until_done(plain)
