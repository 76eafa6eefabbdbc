"""The second factor: set up, asked for, guessed, lost and removed."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.http import urlencode

from reporting.models import AuditEntry
from smplat.signin.urls import patterns
from tests.environment import API_KEY
from tests.smplat.signin import urls

PASSWORD = "a-password-for-tests"
SET_UP, CODE = "/admin/account/second-factor/set-up/", "/admin/account/second-factor/code/"

REMOVE = "/admin/account/second-factor/remove/"


@pytest.fixture(autouse=True)
def optional(settings, db):
    """A desk on which people may have a second factor."""
    settings.SECOND_FACTOR = "OPTIONAL"
    settings.ROOT_URLCONF = urls.__name__


@pytest.fixture
def required(settings):
    settings.SECOND_FACTOR = "REQUIRED"


@pytest.fixture
def ada(db):
    return User.objects.create_superuser("ada", password=PASSWORD)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, so that a code is right for as long as a test takes."""
    now = [time.time()]
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.time.time", lambda: now[0])
    return now


def sign_in(client, password=PASSWORD, **query):
    return client.post("/admin/login/", {"username": "ada", "password": password, **query})


def code_of(secret, clock):
    return format_hotp_value(hotp_value(secret, int(clock[0] // 30)))


def set_up(client, clock):
    """Set a second factor up as a person does; return its secret."""
    secret = re.findall(r"<code[^>]*>(\w+)</code>", client.get(SET_UP).content.decode())[0]
    assert client.post(SET_UP, {"code": code_of(secret, clock)}).status_code == 302
    cache.clear()
    return secret


@pytest.fixture
def secret(ada, clock):
    client = Client()
    sign_in(client)
    return set_up(client, clock)


def is_signed_in(client):
    return client.get("/admin/").status_code == 200


class TestSigningIn:
    def test_without_a_second_factor_the_password_is_enough(self, ada, client):
        answer = sign_in(client, next="/admin/reports/runs/")

        assert (answer.status_code, answer["Location"]) == (302, "/admin/reports/runs/")
        assert is_signed_in(client)

    def test_with_one_the_password_leads_to_the_code_and_nowhere_else(self, secret, client):
        answer = sign_in(client)

        assert (answer.status_code, answer["Location"]) == (302, CODE)
        assert not is_signed_in(client)
        assert client.get("/api/v1/reporting/guardrails/followups").status_code == 401

    def test_the_code_signs_in_and_goes_where_the_password_was_to_go(self, secret, client, clock):
        sign_in(client, next="/admin/reports/runs/")
        answer = client.post(CODE, {"code": code_of(secret, clock)})

        assert (answer.status_code, answer["Location"]) == (302, "/admin/reports/runs/")
        assert is_signed_in(client)
        assert not AccessAttempt.objects.exists()

    def test_a_code_works_once(self, secret, client, clock):
        for attempt, expected in ((client, 302), (Client(), 200)):
            sign_in(attempt)
            assert attempt.post(CODE, {"code": code_of(secret, clock)}).status_code == expected

    def test_a_code_without_a_password_leads_to_the_sign_in(self, secret, client, clock):
        answer = client.post(CODE, {"code": code_of(secret, clock)})

        assert (answer.status_code, answer["Location"]) == (302, "/admin/login/")

    def test_a_recovery_code_works_once(self, secret, client):
        codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
        for attempt, expected in ((client, 302), (Client(), 200)):
            sign_in(attempt)
            assert attempt.post(CODE, {"code": codes[0]}).status_code == expected

    def test_there_is_no_way_to_another_site(self, ada, client):
        assert sign_in(client, next="https://elsewhere.example/")["Location"] == "/admin/"
        assert sign_in(client, next="//elsewhere.example/")["Location"] == "/admin/"

    def test_people_who_are_not_staff_do_not_get_in(self, client):
        User.objects.create_user("ada", password=PASSWORD)

        assert sign_in(client).status_code == 200
        assert not is_signed_in(client)


class TestGuessing:
    def test_wrong_codes_lock_out_as_wrong_passwords_do(self, secret, client, clock):
        sign_in(client)
        answers = [client.post(CODE, {"code": "000000"}) for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
        assert "That code isn&#x27;t right" in answers[0].content.decode()
        assert "Try again in 5 minutes" in answers[-1].content.decode()
        assert client.post(CODE, {"code": code_of(secret, clock)})["Retry-After"] == "300"
        assert sign_in(Client()).status_code == 429
        assert AuditEntry.objects.filter(action=AuditEntry.Action.LOCK_OUT).get().subject == "ada"

    def test_a_new_sign_in_does_not_start_the_count_anew(self, secret):
        statuses = []
        for _ in range(5):
            client = Client()
            sign_in(client)
            statuses.append(client.post(CODE, {"code": "000000"}).status_code)

        assert statuses == [200, 200, 200, 200, 429]

    def test_a_sign_in_that_stops_before_the_code_is_no_failure(self, secret):
        for _ in range(5):
            sign_in(Client())

        assert not AccessAttempt.objects.exists()

    def test_wrong_passwords_are_limited_at_this_door_too(self, ada):
        assert [sign_in(Client(), "wrong").status_code for _ in range(6)] == [200] * 4 + [429] * 2


class TestKeeping:
    def test_secrets_are_not_readable_in_the_database(self, secret):
        stored = str(list(Authenticator.objects.values_list("data", flat=True)))

        assert secret not in stored
        assert len(Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()) == 10

    def test_another_secret_key_opens_no_door(self, secret, client, clock, settings, caplog):
        settings.SECRET_KEY = "another-secret-key-of-fifty-characters-or-more-0123456789"
        sign_in(client)

        assert client.post(CODE, {"code": code_of(secret, clock)}).status_code == 200
        assert not is_signed_in(client)
        assert [record.levelno for record in caplog.records if "SECRET_KEY has changed" in record.message][0] == 40

    def test_setting_up_and_removing_take_a_sign_in_of_the_last_minutes(self, secret, client, clock):
        user = User.objects.get()
        client.force_login(user)

        assert client.get(REMOVE)["Location"] == f"/admin/login/?{urlencode({'next': REMOVE})}"
        sign_in(client, next=REMOVE)
        client.post(CODE, {"code": code_of(secret, clock)})
        client.post(REMOVE)
        assert not Authenticator.objects.exists()

    def test_new_recovery_codes_replace_the_old(self, secret, client, clock):
        sign_in(client)
        client.post(CODE, {"code": code_of(secret, clock)})
        before = client.get("/admin/account/recovery-codes/").content
        client.post("/admin/account/recovery-codes/new/")

        assert client.get("/admin/account/recovery-codes/").content != before


@pytest.mark.usefixtures("required")
class TestRequired:
    def test_people_without_one_set_it_up_before_anything_else(self, ada, client, clock):
        sign_in(client)

        for path in (
            "/admin/",
            "/admin/reports",
            "/admin/reports/cards",
            "/admin/auth/user/",
            "/admin/password_change/",
        ):
            assert client.get(path)["Location"] == SET_UP
        set_up(client, clock)
        assert is_signed_in(client)

    def test_until_then_the_api_does_not_know_them(self, ada, client):
        sign_in(client)

        assert client.get("/api/v1/reporting/guardrails/followups").status_code == 401
        assert client.get("/api/reporting/quick-order-export").status_code == 401
        assert client.get("/healthz").status_code == 200

    def test_they_can_sign_out(self, ada, client):
        sign_in(client)

        assert client.post("/admin/logout/").status_code == 200

    def test_strangers_and_keys_notice_nothing(self, api, client):
        assert api.get("/api/v1/reporting/guardrails/followups").status_code == 200
        assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"

    def test_nobody_looks_for_the_operator_beside_a_key(self, ada, api, client, django_assert_num_queries):
        path = "/api/v1/reporting/guardrails/followups"
        sign_in(client)

        with CaptureQueriesContext(connection) as queries:
            api.get(path)
        with django_assert_num_queries(len(queries)):
            assert client.get(path, headers={"X-API-Key": API_KEY}).status_code == 200


class TestPages:
    def test_strangers_see_none_but_the_sign_in(self, client):
        for route in (
            str(pattern.pattern) for pattern in patterns(has_second_factor=True, has_single_sign_on=False)[1:]
        ):
            assert client.get(f"/{route}")["Location"].startswith("/admin/login/"), route
            assert client.post(f"/{route}")["Location"].startswith("/admin/login/"), route

    def pages(self, client, clock):
        """Every page, by its path, as someone comes across them."""
        yield "/admin/login/", client.get("/admin/login/")
        sign_in(client)
        yield "off", client.get("/admin/account/second-factor/")
        yield SET_UP, client.get(SET_UP)
        secret = set_up(client, clock)
        for path in ("second-factor/", "second-factor/remove/", "recovery-codes/", "recovery-codes/new/"):
            yield path, client.get(f"/admin/account/{path}")
        client.logout()
        sign_in(client)
        yield CODE, client.get(CODE)
        assert secret

    def test_they_are_pages_of_the_desk_without_scripts_or_styles_of_their_own(self, ada, client, clock):
        for path, answer in self.pages(client, clock):
            text = answer.content.decode()
            assert (answer.status_code, "| SMPLAT" in text, text.count("<h1")) == (200, True, 1), path
            assert not re.search(r"<script(?![^>]*\ssrc=)[^>]*>|\son\w+=|allauth", text), path
            assert "script-src 'self'" in answer["Content-Security-Policy"], path
            assert "no-store" in answer["Cache-Control"], path


class TestOff:
    def test_no_url_and_no_link_is_left(self, settings, operator):
        settings.ROOT_URLCONF, settings.SECOND_FACTOR = "smplat.urls", "OFF"

        assert operator.get("/admin/account/second-factor/").status_code == 404
        assert b"econd factor" not in operator.get("/admin/").content
