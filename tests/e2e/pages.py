"""The desk's pages as an operator works with them."""

import json
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.desk import PASSWORD, Desk, wait_for
from tests.http_client import HTTP

REPORTS, ONBOARDING, RUNS = "/admin/reports", "/admin/onboarding", "/admin/reports/runs/"


def sign_in(page: Any, username: str = "admin") -> None:
    """Fill in the sign-in that ``page`` shows, and wait for the reports."""
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{REPORTS}")


def card(page: Any, feed: str = "quick_order") -> Any:
    """The card of ``feed`` on the reports page."""
    return page.locator(f"#feed-{feed}")


def run_now(page: Any, feed: str = "quick_order") -> None:
    """Press "Run now" on the card, start the run that the preview shows, and wait on its page until it is done."""
    card(page, feed).get_by_role("link", name="Run now").click()
    page.get_by_role("button", name="Start the run").click()
    wait_until_done(page)


def wait_until_done(page: Any) -> None:
    """Wait on the page of a run until it says by itself that the run has succeeded."""
    page.wait_for_url(f"**{RUNS}*")
    page.locator("#run .desk-state-succeeded").wait_for(timeout=60_000)


def downloaded(page: Any, control: Any) -> tuple[str, bytes]:
    """Press ``control`` and return the name and the content of the file that comes."""
    with page.expect_download() as download:
        control.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def exported(desk: Desk, operator: httpx.Client, events: Iterable[dict[str, Any]], feed: str = "quick_order") -> str:
    """Capture ``events``, export the feed, and return the path of the run's page."""
    HTTP.post(f"{desk.url}/api/telemetry", json=list(events)).raise_for_status()
    run = desk.start_run(operator, feed)
    wait_for(lambda: "desk-state-succeeded" in operator.get(run).text)
    return run


def use_theme(page: Any, theme: str) -> None:
    """Show ``page`` in ``theme`` (light or dark), and wait until its colours have come to rest."""
    page.emulate_media(color_scheme=theme)
    page.evaluate("theme => window.Alpine?.$data(document.documentElement).switchTheme(theme)", theme)
    page.wait_for_function("theme => !window.Alpine || document.documentElement.classList.contains(theme)", arg=theme)
    page.wait_for_function("!document.getAnimations().some(animation => animation instanceof CSSTransition)")


def violations(page: Any, *left_out: str) -> list[str]:
    """What axe-core finds on ``page``: a line for each element, outside of the selectors in ``left_out``.

    All rules of WCAG 2.0 and 2.1, levels A and AA, and the best practices.
    """
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
    context = {"exclude": [[selector] for selector in left_out]}
    page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.evaluate(
        "([context, options]) => axe.run(context, options)",
        [context, {"resultTypes": ["violations"], "runOnly": tags}],
    )
    return [
        f"{rule['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
