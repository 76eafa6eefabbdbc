"""The page of the API's documentation in a browser."""

from urllib.parse import urlsplit

import pytest

from tests.http_client import HTTP

pytestmark = pytest.mark.browser


def test_the_page_shows_every_endpoint_and_asks_no_other_host(page, desk):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto("/api/docs/")
    page.get_by_text("Record a guardrail follow-up").first.click()
    page.get_by_text("Idempotency-Key", exact=True).first.wait_for()
    page.wait_for_load_state("networkidle")

    hosts = {urlsplit(url).netloc for url in asked if urlsplit(url).scheme != "data"}
    assert hosts == {urlsplit(desk.url).netloc}
    paths = HTTP.get(f"{desk.url}/api/schema/").json()["paths"].values()
    assert page.locator(".opblock").count() == sum(map(len, paths))
