"""What an operator does at the desk, in a real browser."""

import csv
import io
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.pages import RUNS, card, downloaded, exported, run_now, sign_in, wait_until_done
from tests.factories import quick_order_event
from tests.http_client import HTTP

pytestmark = pytest.mark.browser


@pytest.fixture
def reports(desk, desk_page):
    """The reports page of a desk that has a new event to export."""
    HTTP.post(f"{desk.url}/api/telemetry", json=quick_order_event()).raise_for_status()
    desk_page.goto("/admin/reports")
    return desk_page


def table(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def test_a_sign_in_leads_to_the_page_that_was_asked_for(page):
    page.goto("/admin/reports")
    sign_in(page)

    assert page.get_by_role("heading", name="Reports").is_visible()


def test_a_wrong_password_is_refused_in_words(page):
    page.goto("/admin/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()

    assert page.get_by_text("Please enter the correct username and password").is_visible()


def test_run_now_shows_what_it_would_export_and_then_its_progress_to_the_end(desk, reports):
    run_now(reports)

    object_path = Path(urlsplit(reports.locator("#run code", has_text="file://").inner_text()).path)
    name, data = downloaded(reports, reports.get_by_role("link", name="Download file"))
    assert name == object_path.name
    assert data == object_path.read_bytes()
    manifest = json.loads(object_path.with_name(f"{object_path.name}.manifest.json").read_text())
    status = json.loads((desk.var_dir / "lake" / "quick-order-export-status.json").read_text())
    assert len(data.splitlines()) == manifest["rows"] == status["events"]


def test_the_preview_tells_rows_and_bytes(reports):
    card(reports).get_by_role("link", name="Run now").click()
    preview = reports.locator("#preview")

    assert preview.get_by_text("Rows", exact=True).is_visible()
    assert re.search(r"\d\s(bytes|KB)\b", preview.inner_text())


def test_the_card_shows_the_run_afterwards(reports):
    run_now(reports)
    reports.get_by_role("link", name="Back to the reports").click()

    assert card(reports).locator(".desk-state").first.inner_text() == "Succeeded"
    assert card(reports).get_by_text("nothing new").is_visible()


def test_the_latest_object_is_downloaded_from_the_card(desk, operator, reports):
    exported(desk, operator, [quick_order_event()])
    reports.reload()

    name, data = downloaded(reports, card(reports).get_by_role("link", name="Download latest"))

    assert name.endswith(".ndjson")
    assert [line for line in data.splitlines() if not json.loads(line)["id"]] == []
    assert data


def test_a_run_is_started_by_the_keyboard_alone(reports):
    control = card(reports).get_by_role("link", name="Run now")
    for _ in range(60):
        reports.keyboard.press("Tab")
        if control.evaluate("link => link === document.activeElement"):
            break
    reports.keyboard.press("Enter")
    reports.wait_for_url("**/start")
    start = reports.get_by_role("button", name="Start the run")
    start.focus()
    reports.keyboard.press("Enter")

    wait_until_done(reports)


def test_the_history_is_filtered_by_feed_and_state(desk, operator, desk_page):
    exported(desk, operator, [quick_order_event()])
    desk_page.goto(RUNS)
    desk_page.get_by_label("Feed").select_option("quick_order")
    desk_page.get_by_label("State").select_option("succeeded")
    desk_page.get_by_role("button", name="Filter").click()

    states = desk_page.locator("tbody .desk-state").all_inner_texts()
    assert set(states) == {"Succeeded"}
    assert desk_page.locator("tbody tr").count() == len(states)


def test_csv_of_the_latest_batch_and_of_the_page_after_it(desk, desk_page):
    events = [quick_order_event() for _ in range(201)]
    HTTP.post(f"{desk.url}/api/telemetry", json=events).raise_for_status()
    desk_page.goto("/admin/reports?rows=quick_order")
    rows = desk_page.locator("#rows")
    rows.get_by_role("combobox", name="Rows per batch").select_option("100")
    rows.get_by_role("button", name="Show").click()

    name, latest = downloaded(desk_page, rows.get_by_role("button", name="CSV of the latest 100"))
    rows.get_by_role("link", name="Next page").click()
    _, page_after = downloaded(desk_page, rows.get_by_role("button", name="CSV of these 100"))

    assert name.startswith("quick-order-")
    assert table(latest)[0] == table(page_after)[0]
    assert table(latest)[0][0] == "event_id"
    keys = [row[0] for row in table(latest)[1:] + table(page_after)[1:]]
    assert keys == [event["id"] for event in reversed(events)][:200]


def test_a_row_opens_its_whole_record(desk, desk_page):
    event = quick_order_event(productTitle="<b>Reels & more</b>")
    HTTP.post(f"{desk.url}/api/telemetry", json=event).raise_for_status()
    desk_page.goto("/admin/reports?rows=quick_order")
    desk_page.get_by_role("link", name=event["id"]).click()

    assert desk_page.locator("#record").get_by_text("<b>Reels & more</b>").is_visible()
