"""Answers to requests that fail outside of a view."""

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
