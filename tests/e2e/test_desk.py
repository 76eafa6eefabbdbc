"""The operator's desk in a real browser."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.desk import PASSWORD
from tests.factories import quick_order_event

pytestmark = pytest.mark.browser


@pytest.fixture
def signed_in(desk, page):
    """The reports page of a desk with an event at least, after a sign-in by hand."""
    httpx.post(f"{desk.url}/api/telemetry", json=quick_order_event()).raise_for_status()
    page.goto("/admin/reports")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/reports")
    return page


def run_now(page) -> None:
    """Press "Run now" of the quick orders, and wait for the run's end on its page."""
    page.locator("#feed-quick_order").get_by_role("button", name="Run now").click()
    page.wait_for_url("**/admin/reports/runs/*")
    page.locator("#run .desk-state-succeeded").wait_for(timeout=60_000)


def test_an_operator_runs_an_export_and_downloads_its_file(desk, signed_in):
    run_now(signed_in)

    object_path = Path(urlsplit(signed_in.locator("#run code", has_text="file://").inner_text()).path)
    with signed_in.expect_download() as download:
        signed_in.get_by_role("link", name="Download object").click()
    data = Path(download.value.path()).read_bytes()
    assert data == object_path.read_bytes()
    manifest = json.loads(object_path.with_name(f"{object_path.name}.manifest.json").read_text())
    status = json.loads((desk.var_dir / "lake" / "quick-order-export-status.json").read_text())
    assert len(data.splitlines()) == manifest["rows"] == status["events"]


def test_the_card_shows_the_run_afterwards(signed_in):
    run_now(signed_in)
    signed_in.get_by_role("link", name="Back to the reports").click()
    card = signed_in.locator("#feed-quick_order")

    assert card.locator(".desk-state").first.inner_text() == "Succeeded"
    assert card.get_by_role("link", name="Download latest").is_visible()


def test_a_csv_file_is_downloaded(signed_in):
    with signed_in.expect_download() as download:
        signed_in.locator("#recent-quick_order").get_by_role("button", name="CSV").click()

    assert download.value.suggested_filename.startswith("quick-order-")
    assert Path(download.value.path()).read_text().startswith("event_id,session_id,event_name")


@pytest.mark.parametrize("width", [360, 1440])
def test_the_page_fits_its_window(signed_in, width):
    signed_in.set_viewport_size({"width": width, "height": 800})

    assert signed_in.evaluate("document.documentElement.scrollWidth") <= width
