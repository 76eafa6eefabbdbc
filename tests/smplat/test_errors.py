"""Answers to requests that fail outside of a view."""

import re

import pytest
from django.test import Client


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
