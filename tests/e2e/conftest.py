"""Fixtures of the end-to-end tests: a running desk, a browser, and who sits before it."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx
import pytest

from tests.e2e.desk import Desk
from tests.fakes import Reply, fake_server

Browse = Callable[..., Any]


@pytest.fixture(scope="session")
def shop() -> Iterator[str]:
    """The origin of a storefront, whose pages may post telemetry to the desk."""
    with fake_server() as server:
        server.usual = Reply(body=b"<!doctype html><title>Shop</title>", headers={"Content-Type": "text/html"})
        yield server.url


@pytest.fixture(scope="session")
def desk(tmp_path_factory, shop):
    """A desk that all end-to-end tests share; what they store adds up."""
    unread = {"SLACK_WEBHOOK_ULR": "a name that nobody reads"}
    desk = Desk(tmp_path_factory.mktemp("desk") / "var", CORS_ALLOWED_ORIGINS=shop, **unread)
    yield desk.start()
    desk.stop()


@pytest.fixture(scope="session")
def operator(desk) -> Iterator[httpx.Client]:
    """An HTTP client that has signed in as the administrator, once for all tests."""
    with closing(desk.operator()) as client:
        yield client


@pytest.fixture(scope="session")
def viewer(desk) -> Iterator[httpx.Client]:
    """An HTTP client of a staff user who may look at everything and do nothing."""
    with desk.database() as session:
        session.execute(
            "INSERT INTO auth_user (username, password, is_staff, is_active, is_superuser, date_joined,"
            " first_name, last_name, email)"
            " SELECT 'viewer', password, true, true, false, now(), '', '', '' FROM auth_user WHERE username = 'admin'"
        )
        session.execute(
            "INSERT INTO auth_user_user_permissions (user_id, permission_id)"
            " SELECT u.id, p.id FROM auth_user u, auth_permission p"
            " WHERE u.username = 'viewer' AND p.codename = 'view_exportrun'"
        )
    with closing(desk.operator("viewer")) as client:
        yield client


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium of the system; without one the test is skipped, or fails where REQUIRE_BROWSER is set.

    It ends with its module, since Playwright keeps an event loop running in the thread of the tests: code of later
    modules could start none, and Django would give it other database sessions.
    """
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
def browse(chromium, desk) -> Iterator[Browse]:
    """A maker of pages, each in a browser session of its own: ``browse(user=operator, color_scheme="dark")``.

    ``user`` is an HTTP client whose sign-in the session takes over. An error of a script, and anything that a
    Content-Security-Policy forbids, fails the test.
    """
    with ExitStack() as sessions:

        def open_page(user: httpx.Client | None = None, **options: Any) -> Any:
            context = sessions.enter_context(_watched(chromium, base_url=desk.url, **options))
            if user is not None:
                context.add_cookies(
                    [{"name": name, "value": user.cookies[name], "url": desk.url} for name in user.cookies]
                )
            return context.new_page()

        yield open_page


@contextmanager
def _watched(browser: Any, **options: Any) -> Iterator[Any]:
    context = browser.new_context(**{"accept_downloads": True, "viewport": {"width": 1440, "height": 900}} | options)
    context.set_default_timeout(15_000)
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("console", lambda message: complaints.extend(_forbidden(message)))
    yield context
    context.close()
    assert complaints == []


def _forbidden(message: Any) -> list[str]:
    return [message.text] if "Content Security Policy" in message.text else []


@pytest.fixture
def page(browse) -> Any:
    """The page of a stranger."""
    return browse()


@pytest.fixture
def desk_page(browse, operator) -> Any:
    """The page of an administrator who has signed in."""
    return browse(operator)
