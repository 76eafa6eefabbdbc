"""The Content-Security-Policy of each kind of answer."""

import re
import uuid
from base64 import b64encode
from hashlib import sha256

import pytest

DESK = ["/admin/reports", "/admin/onboarding", "/admin/reports/runs/", "/admin/reports/feeds/quick_order/start"]
NOTHING = {"default-src": "'none'", "frame-ancestors": "'none'"}


def policy(answer) -> dict[str, str]:
    directives = (directive.strip().partition(" ") for directive in answer["Content-Security-Policy"].split(";"))
    return {name: sources for name, _, sources in directives}


def style_hash(html: str) -> str:
    style = re.search(r"<style[^>]*>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    return f"'sha256-{b64encode(sha256(style[1].encode()).digest()).decode()}'"


@pytest.mark.django_db
class TestOperatorPages:
    @pytest.mark.parametrize("path", DESK)
    def test_they_allow_nothing_inline_but_the_palette_of_the_theme(self, operator, path):
        answer = operator.get(path)

        assert policy(answer) == {
            "default-src": "'self'",
            "script-src": "'self' 'unsafe-eval'",
            "style-src": f"'self' {style_hash(answer.content.decode())}",
            "img-src": "'self' data:",
            "connect-src": "'self'",
            "object-src": "'none'",
            "base-uri": "'self'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
        }

    @pytest.mark.parametrize("path", DESK)
    def test_they_hold_no_other_inline_style_and_no_inline_script(self, operator, path):
        html = operator.get(path).content.decode()

        assert html.count("<style") == 1
        assert not re.search(r"\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html)

    def test_the_palette_is_the_same_for_whoever_looks(self, client, operator):
        policies = {
            user.get(path)["Content-Security-Policy"] for user, path in ((operator, DESK[0]), (operator, DESK[1]))
        }
        sign_in = policy(client.get("/admin/login/"))

        assert len(policies) == 1
        assert sign_in["style-src"] == policy(operator.get(DESK[0]))["style-src"]

    def test_other_admin_pages_allow_the_attributes_of_the_theme_besides(self, operator):
        desk, admin = policy(operator.get(DESK[0])), policy(operator.get("/admin/reporting/auditentry/"))

        assert admin == {**desk, "style-src-attr": "'unsafe-inline'"}


@pytest.mark.django_db
class TestOtherAnswers:
    def test_the_documentation_of_the_api_runs_files_alone(self, client):
        answer = client.get("/api/docs/")

        assert policy(answer)["default-src"] == "'self'"
        assert policy(answer)["style-src"] == f"'self' {style_hash(answer.content.decode())}"
        assert "script-src" not in policy(answer)
        assert not re.search(r"<script(?![^>]*\ssrc=)", answer.content.decode())

    @pytest.mark.parametrize("path", ["/healthz", "/metrics", "/api/schema/", "/api/nowhere"])
    def test_data_allows_nothing(self, client, path):
        assert policy(client.get(path)) == NOTHING

    def test_a_refusal_of_the_api_allows_nothing(self, api, stranger):
        path = f"/api/v1/orders/{uuid.uuid4()}/onboarding/pricing-experiments"

        assert policy(stranger.post(path, {}, format="json")) == NOTHING
        assert policy(api.post(path, {}, format="json")) == NOTHING

    def test_an_error_page_allows_its_stylesheet_alone(self, client):
        answer = client.get("/nowhere")

        assert policy(answer) == {
            **NOTHING,
            "style-src": "'self'",
            "img-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
        }
        assert "<style" not in answer.content.decode()
