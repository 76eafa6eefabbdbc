"""What policies of a real browser keep from happening, and what they let happen."""

import pytest

from tests.e2e.desk import wait_for
from tests.factories import quick_order_event

pytestmark = pytest.mark.browser


def test_a_script_that_was_injected_into_a_page_does_not_run(chromium, desk, operator):
    context = chromium.new_context(base_url=desk.url)
    context.add_cookies([{"name": name, "value": operator.cookies[name], "url": desk.url} for name in operator.cookies])
    page = context.new_page()
    page.goto("/admin/reports")
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x: onerror=\"window.stolen = 1\">');"
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.stolen = 2'}))"
    )
    page.wait_for_function("document.images[document.images.length - 1].complete")

    assert page.evaluate("window.stolen") is None
    context.close()


@pytest.mark.habit(
    "The storefront, on an origin of its own, sends events by sendBeacon with an application/json Blob.",
    "The capture routes allow credentials to the origins of CORS_ALLOWED_ORIGINS, which such beacons need.",
)
def test_a_json_beacon_from_another_origin_is_stored(browse, desk, shop):
    event, page = quick_order_event(), browse()
    page.goto(shop)

    is_queued = page.evaluate(
        "([url, body]) => navigator.sendBeacon(url, new Blob([JSON.stringify(body)], {type: 'application/json'}))",
        [f"{desk.url}/api/telemetry", event],
    )

    def is_stored() -> bool:
        with desk.database() as session:
            query = "SELECT 1 FROM telemetry_quickorderevent WHERE event_id = %s"
            return session.execute(query, [event["id"]]).fetchone() is not None

    assert is_queued
    assert wait_for(is_stored, seconds=15)
