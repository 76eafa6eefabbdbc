"""What the Content-Security-Policy keeps from happening in a real browser."""

import pytest

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
