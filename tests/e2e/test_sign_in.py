"""Signing in to a whole desk with a second factor and single sign-on, and guessing at its passwords."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value

from tests.e2e.desk import PASSWORD, Desk, wait_for
from tests.e2e.pages import REPORTS, use_theme, violations
from tests.http_client import HTTP
from tests.oidc import CLIENT_ID, CLIENT_SECRET, fake_provider

SET_UP = "/admin/account/second-factor/set-up/"
TOTP_SECONDS = 30


@pytest.fixture(scope="module")
def provider():
    with fake_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def desk(tmp_path_factory, provider):
    """A desk of its own, in place of the one that the other tests share."""
    settings = {
        "SECOND_FACTOR": "required",
        "OIDC_ISSUER_URL": provider.url,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
    }
    desk = Desk(tmp_path_factory.mktemp("guarded") / "var", **settings).start()
    with desk.database() as session:
        session.execute("UPDATE auth_user SET email = 'ada@example.com' WHERE username = 'admin'")
    yield desk
    desk.stop()


def code_of(secret):
    """The code of now, when it is good for some seconds more."""
    wait_for(lambda: time.time() % TOTP_SECONDS < TOTP_SECONDS - 8)
    return format_hotp_value(hotp_value(secret, int(time.time() // TOTP_SECONDS)))


def enter(page, code, button):
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name=button).click()


def assert_accessible(page, *schemes):
    for scheme in schemes:
        use_theme(page, scheme)
        assert violations(page) == [], (page.url, scheme)


@pytest.mark.browser
def test_a_person_sets_a_second_factor_up_and_comes_back_by_the_provider(browse, desk):
    page = browse()
    page.goto("/admin/login/")
    assert_accessible(page, "light", "dark")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{SET_UP}")
    assert_accessible(page, "light")
    secret = page.locator("code").inner_text()
    enter(page, code_of(secret), "Set up")
    page.wait_for_url("**/recovery-codes/")
    assert_accessible(page, "light")
    recovery_code = page.locator("code").first.inner_text()
    page.goto("/admin/account/second-factor/")
    assert_accessible(page, "light")

    page = browse()
    page.goto("/admin/reports")
    page.get_by_role("link", name="Sign in with single sign-on").click()
    page.wait_for_url("**/second-factor/code/")
    enter(page, "000000", "Sign in")
    page.get_by_text("That code isn't right").wait_for()
    assert_accessible(page, "light", "dark")
    enter(page, recovery_code, "Sign in")
    page.wait_for_url(f"**{REPORTS}")


def test_fifty_guesses_at_once_get_no_further_than_five(desk):
    page = HTTP.get(f"{desk.url}/admin/login/")
    token = page.cookies["csrftoken"]

    def guess(number):
        fields = {"username": "nobody", "password": f"guess-{number}", "csrfmiddlewaretoken": token}
        headers = {"Cookie": f"csrftoken={token}", "Referer": desk.url}
        return HTTP.post(f"{desk.url}/admin/login/", data=fields, headers=headers)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(guess, range(50)))

    assert Counter(answer.status_code for answer in answers) == {200: 4, 429: 46}
    assert all(240 < int(answer.headers["Retry-After"]) <= 300 for answer in answers if answer.status_code == 429)
    with desk.database() as session:
        entries = session.execute("SELECT details FROM reporting_auditentry WHERE action = 'lock_out'").fetchall()
    assert [details["address"] for (details,) in entries] == ["127.0.0.1"]


def test_the_client_secret_is_nowhere_in_the_log(desk):
    log = desk.var_dir.with_suffix(".log").read_text()

    assert "Too many failed sign-ins by 127.0.0.1" in log
    assert CLIENT_SECRET not in log
