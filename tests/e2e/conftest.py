"""Fixtures of the end-to-end tests: a running desk, and a browser."""

import os
import shutil

import pytest

from tests.e2e.desk import Desk


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    """A desk that all end-to-end tests share; what they store adds up."""
    desk = Desk(tmp_path_factory.mktemp("desk") / "var")
    yield desk.start()
    desk.stop()


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium of the system; without one the test is skipped, or fails where REQUIRE_BROWSER is set."""
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("REQUIRE_BROWSER is set, and there is no Chromium")
        pytest.skip("there is no Chromium; install it to run the browser tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, desk):
    """A page in a browser session of its own, with the desk as its base; a script error fails the test."""
    context = chromium.new_context(base_url=desk.url, accept_downloads=True, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []
