"""Answers to requests that fail outside of a view."""

import asyncio
import json
import re

import pytest
from django.test import Client

from smplat.front.limits import Limits
from smplat.front.protocol import Front
from smplat.front.wsgi import Threads
from smplat.lib.error_bodies import error_body
from tests.factories import quick_order_event


@pytest.mark.django_db
class TestAPostWithoutACsrfToken:
    def test_the_api_answers_in_json(self):
        answer = Client(enforce_csrf_checks=True).post("/lake/token")

        assert (answer.status_code, answer["Content-Type"]) == (403, "application/json")
        assert "detail" in answer.json()

    def test_a_page_says_what_to_do(self):
        answer = Client(enforce_csrf_checks=True).post("/admin/login/")

        assert answer.status_code == 403
        assert "load the page again" in answer.content.decode()


@pytest.mark.habit(
    "The web clients read the sentence of a failed request from `error`.",
    "The telemetry and /api/reporting/ routes answer `error` beside `detail`, whatever fails.",
)
@pytest.mark.django_db
class TestTheSentence:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/api/telemetry", 405),
            ("POST", "/api/telemetry", 400),
            ("GET", "/api/telemetry/quick-order/export", 404),
            ("GET", "/api/telemetry/unknown", 404),
            ("GET", "/api/reporting/quick-order-export", 403),
            ("GET", "/api/reporting/unknown", 404),
        ],
    )
    def test_it_stands_beside_the_detail(self, api, method, path, status):
        answer = api.generic(method, path, "", content_type="application/json")

        assert answer.status_code == status
        assert answer.json()["error"] == answer.json()["detail"] != ""

    def test_it_names_the_first_field(self, api):
        answer = api.get("/api/reporting/guardrail-workflow", {"limit": "none"}).json()

        assert answer["error"] == f"limit: {answer['limit'][0]}"

    def test_it_says_what_is_wrong_with_a_single_event(self, stranger):
        answer = stranger.post("/api/telemetry", quick_order_event(recordedAt="yesterday"), format="json").json()

        assert answer["error"] == f"recordedAt: {answer['recordedAt'][0]}"

    def test_a_throttled_client_gets_it_too(self, stranger, settings):
        settings.TELEMETRY_THROTTLE = 1
        answers = [stranger.post("/api/telemetry", quick_order_event(), format="json") for _ in range(3)]

        throttled = next(answer for answer in answers if answer.status_code == 429)
        assert throttled.json()["error"] == throttled.json()["detail"]

    @pytest.mark.parametrize(
        "path",
        ["/api/v1/reporting/guardrails/followups", "/api/v1/unknown", "/api/telemetryx", "/lake/token", "/readyz"],
    )
    def test_other_routes_answer_as_ever(self, stranger, path):
        assert "error" not in stranger.get(path).json()
        assert error_body(path, {"detail": "x"}) == {"detail": "x"}

    def test_what_the_front_refuses_has_it(self):
        sent: list[dict] = []

        async def send(message: dict) -> None:
            sent.append(message)

        async def receive() -> dict:
            return {"type": "http.request", "body": b"", "more_body": False}

        front = Front(Threads(lambda *_: [], 1), Limits(1_000, requests=0), 0)
        scope = {"method": "POST", "path": "/api/telemetry", "client": ("192.0.2.1", "1"), "headers": []}
        asyncio.run(front(scope, receive, send))

        body = json.loads(sent[1]["body"])
        assert (sent[0]["status"], body["error"]) == (503, body["detail"])


class TestARefusal:
    def test_leads_those_who_may_not_view_the_reports_to_a_page_that_they_may_open(self, staff_with):
        nobody = staff_with()

        page = nobody.get("/admin/reports").content.decode()

        ways = re.findall(r'href="(/admin[^"]*)"', page)
        assert ways == ["/admin/"]
        assert nobody.get(ways[0]).status_code == 200

    def test_leads_those_who_may_view_the_reports_back_to_them(self, staff_with):
        page = staff_with("reporting.view_exportrun").get("/admin/reports/feeds/quick_order/start").content.decode()

        assert 'href="/admin/reports"' in page

    def test_names_the_account_and_signs_it_out(self, staff_with):
        nobody = staff_with()

        page = nobody.get("/admin/reports").content.decode()
        action = re.search(r'<form method="post" action="([^"]+)"', page)

        assert "Signed in as staff-0." in page
        assert action is not None
        nobody.post(action[1])
        assert nobody.get("/admin/").status_code == 302
