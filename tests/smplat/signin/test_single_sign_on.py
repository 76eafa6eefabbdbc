"""Sign-in at an OpenID Connect provider, by the whole flow against one on the loopback interface."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Semaphore
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client

from tests.fakes import Reply, closed_port_url, dripping, fake_server, mute, tcp_server
from tests.http_client import HTTP
from tests.oidc import CLIENT_ID, CLIENT_SECRET, fake_provider, new_key
from tests.smplat.signin import urls

START, CALLBACK = "/admin/account/single-sign-on/", "/admin/account/single-sign-on/callback/"
ADA = "ada@example.com"


@pytest.fixture(scope="module")
def running():
    with fake_provider() as provider:
        yield provider


@pytest.fixture
def provider(running, settings, db):
    running.__dict__.update(
        person={"sub": "person-1", "email": ADA, "email_verified": True},
        userinfo=None,
        sign=lambda claims: running.signed_by(running.key, claims),
        changed={},
        asked=[],
    )
    use(settings, running.url)
    return running


def use(settings, issuer):
    settings.ROOT_URLCONF = urls.__name__
    settings.OIDC_ISSUER_URL, settings.OIDC_CLIENT_ID = issuer, CLIENT_ID
    settings.OIDC_CLIENT_SECRET, settings.PUBLIC_BASE_URL = CLIENT_SECRET, "http://testserver"


@pytest.fixture
def ada(db):
    return User.objects.create_user("ada", ADA, "a-password-for-tests", is_staff=True)


def authorized(client, **query):
    """Start, and go to the provider; return the address that it sends the browser back to."""
    start = client.get(f"{START}?{urlencode(query)}")
    assert start.status_code == 302, start.content
    return HTTP.get(start["Location"]).headers["Location"]


def sign_in(client, **query):
    return client.get(authorized(client, **query).removeprefix("http://testserver"))


def is_signed_in(client):
    return client.get("/admin/").status_code == 200


def assert_refused(answer, client, status=401):
    assert (answer.status_code, is_signed_in(client)) == (status, False)
    assert "| SMPLAT" in answer.content.decode()
    assert CLIENT_SECRET not in answer.content.decode()


class TestWhoGetsIn:
    def test_staff_whose_verified_address_the_account_has(self, provider, ada, client):
        answer = sign_in(client)

        assert (answer.status_code, answer["Location"]) == (302, "/admin/reports")
        assert int(client.session["_auth_user_id"]) == ada.pk
        assert client.session.get_expiry_age() > 3_600

    def test_their_password_goes_on_working(self, provider, ada, client):
        sign_in(client)

        assert User.objects.get().check_password("a-password-for-tests")

    def test_the_second_time_the_provider_s_own_name_for_them_counts(self, provider, ada, client):
        sign_in(client)
        provider.person |= {"email": "ada.lovelace@example.com", "email_verified": False}
        again = Client()
        sign_in(again)

        assert is_signed_in(again)
        assert SocialAccount.objects.values_list("uid", "extra_data").get() == ("person-1", {})

    def test_an_address_that_only_the_user_information_has(self, provider, ada, client):
        provider.userinfo = dict(provider.person)
        provider.person = {"sub": "person-1"}
        sign_in(client)

        assert is_signed_in(client)

    @pytest.mark.parametrize(
        "person",
        [
            {"email_verified": False},
            {"email_verified": None},
            {"email_verified": "false"},
            {"email": "eve@example.com"},
            # A dotless i, which a database takes for an i.
            {"email": "ada@example.com".replace("a@", "ı@")},
            {"email": ""},
        ],
    )
    def test_nobody_else(self, provider, ada, client, person):
        User.objects.create_user("adi", "adi@example.com", is_staff=True)
        provider.person |= person

        assert_refused(sign_in(client), client, 403)
        assert User.objects.count() == 2
        assert not SocialAccount.objects.exists()

    @pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
    def test_no_account_that_may_not(self, provider, ada, client, change):
        User.objects.update(**change)

        assert_refused(sign_in(client), client, 403)

    def test_no_account_that_has_lost_its_rights_since(self, provider, ada, client):
        sign_in(client)
        User.objects.update(is_staff=False)
        client = Client()

        assert_refused(sign_in(client), client, 403)

    def test_no_address_that_two_accounts_have(self, provider, ada, client):
        User.objects.create_user("bob", ADA.upper(), is_staff=True)

        assert_refused(sign_in(client), client, 403)

    def test_no_second_person_with_the_address_of_the_first(self, provider, ada, client):
        sign_in(client)
        provider.person["sub"] = "person-2"
        client = Client()

        assert_refused(sign_in(client), client, 403)

    def test_who_has_a_second_factor_is_asked_for_it(self, provider, ada, client, settings):
        settings.SECOND_FACTOR = "OPTIONAL"
        Authenticator.objects.create(user=ada, type="totp", data={"secret": ""})

        assert sign_in(client)["Location"] == "/admin/account/second-factor/code/"
        assert not is_signed_in(client)


class TestForgery:
    def test_a_state_of_another_browser(self, provider, ada, client):
        back = authorized(Client()).removeprefix("http://testserver")

        assert_refused(client.get(back), client)

    def test_a_callback_that_comes_twice(self, provider, ada, client):
        back = authorized(client).removeprefix("http://testserver")
        client.get(back)
        client.logout()

        assert_refused(client.get(back), client)

    def test_a_callback_without_anything(self, provider, ada, client):
        for query in ("", "?code=1", "?state=1", "?error=access_denied", "?code=1&state=%00"):
            assert_refused(client.get(CALLBACK + query), client)

    def test_a_code_that_the_provider_does_not_know(self, provider, ada, client):
        state = parse_qs(urlsplit(authorized(client)).query)["state"][0]

        assert_refused(client.get(CALLBACK, {"state": state, "code": "made-up"}), client)

    @pytest.mark.parametrize(
        "changed",
        [
            {"nonce": "another"},
            {"nonce": None},
            {"iss": "https://elsewhere.example"},
            {"aud": "another-client"},
            {"exp": 1},
        ],
    )
    def test_a_token_that_says_something_else(self, provider, ada, client, changed):
        provider.changed = changed

        assert_refused(sign_in(client), client)

    @pytest.mark.parametrize("kind", ["another key", "none", "HS256", "no token", "no key named"])
    def test_a_token_that_the_provider_has_not_signed(self, provider, ada, client, kind):
        signers = {
            "another key": lambda claims: provider.signed_by(new_key(), claims),
            "none": lambda claims: jwt.encode(claims, "", algorithm="none", headers={"kid": "1"}),
            "HS256": lambda claims: jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"kid": "1"}),
            "no token": lambda claims: "",
            "no key named": lambda claims: jwt.encode(claims, provider.key, algorithm="RS256"),
        }
        provider.sign = signers[kind]

        assert_refused(sign_in(client), client)

    def test_user_information_about_someone_else(self, provider, ada, client):
        provider.userinfo = {**provider.person, "sub": "person-2"}
        provider.person = {"sub": "person-1"}

        assert_refused(sign_in(client), client)

    def test_another_issuer_behind_the_address(self, provider, ada, client, monkeypatch):
        real = provider.discovery
        monkeypatch.setattr(provider, "discovery", lambda: real() | {"issuer": "https://elsewhere.example"})
        monkeypatch.setattr("smplat.signin.provider._documents", {})

        assert_refused(client.get(START), client, 503)


class TestRedirects:
    @pytest.mark.parametrize(
        "where", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", "/\\x"]
    )
    def test_there_is_no_way_to_another_site(self, provider, ada, client, where):
        assert sign_in(client, next=where)["Location"] == "/admin/reports"

    def test_a_page_of_the_desk_is_reached(self, provider, ada, client):
        assert sign_in(client, next="/admin/reports/runs/?page=2")["Location"] == "/admin/reports/runs/?page=2"

    def test_a_link_cannot_change_what_the_provider_is_asked(self, provider, ada, client):
        query = {"auth_params": "redirect_uri=https://elsewhere.example", "scope": "admin", "process": "connect"}
        asked = parse_qs(urlsplit(client.get(START, query)["Location"]).query)

        assert asked["redirect_uri"] == [f"http://testserver{CALLBACK}"]
        assert set(asked["scope"][0].split()) == {"openid", "profile", "email"}
        assert asked["code_challenge_method"] == ["S256"]


class TestBrokenProviders:
    def test_one_that_is_away(self, ada, client, settings):
        use(settings, closed_port_url())

        assert_refused(client.get(START), client, 503)

    @pytest.mark.parametrize("serve", [mute, dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"x")])
    def test_one_that_hangs_or_drips_is_given_up(self, ada, client, settings, monkeypatch, serve):
        monkeypatch.setattr("smplat.signin.provider.TIMEOUT_SECONDS", 0.3)
        with tcp_server(serve) as address:
            use(settings, f"http://{address}")
            began = time.monotonic()

            assert_refused(client.get(START), client, 503)
            assert time.monotonic() - began < 10

    @pytest.mark.parametrize("body", [b"{}", b"[]", b"no json", b'{"issuer": 1}', b"\xff"])
    def test_one_that_talks_nonsense(self, ada, client, settings, body):
        with fake_server() as server:
            server.usual = Reply(body=body)
            use(settings, server.url)

            assert_refused(client.get(START), client, 503)

    def test_its_document_is_read_once(self, provider, ada):
        for _ in range(3):
            sign_in(Client())

        assert provider.asked.count("/.well-known/openid-configuration") <= 1


@pytest.mark.django_db(transaction=True)
def test_a_provider_that_hangs_holds_four_threads_at_most(settings):
    hanging = Semaphore(0)

    def serve(client, is_over):
        hanging.release()
        mute(client, is_over)

    with ThreadPoolExecutor(4) as pool, tcp_server(serve) as address:
        use(settings, f"http://{address}")
        held = [pool.submit(start_in_a_thread) for _ in range(4)]
        assert all(hanging.acquire(timeout=20) for _ in held)

        assert start_in_a_thread() == 503
        assert not hanging.acquire(blocking=False)
        assert not any(one.done() for one in held)


def start_in_a_thread():
    try:
        return Client().get(START).status_code
    finally:
        connections.close_all()


class TestStarts:
    def test_an_address_may_start_thirty_in_a_minute(self, provider, monkeypatch):
        monkeypatch.setattr("smplat.lib.minutes.time.time", lambda: 1_800_000_030.0)
        statuses = [Client().get(START).status_code for _ in range(31)]

        assert statuses == [302] * 30 + [429]

    def test_what_a_start_leaves_in_the_database_expires_within_minutes(self, provider, client):
        client.get(START)

        assert client.session.get_expiry_age() == 600
        assert Session.objects.count() == 1


class TestThePage:
    def test_it_leads_to_the_provider_and_to_where_people_were_going(self, provider, client):
        page = client.get("/admin/login/?next=/admin/reports/runs/").content.decode()

        assert f'href="{START}?next=%2Fadmin%2Freports%2Fruns%2F"' in page

    def test_without_a_provider_it_does_not(self, client, db):
        page = client.get("/admin/login/").content.decode()

        assert "single-sign-on" not in page
        assert client.get(START).status_code in {302, 404}

    def test_a_password_works_beside_it(self, provider, ada, client):
        client.post("/admin/login/", {"username": "ada", "password": "a-password-for-tests"})

        assert is_signed_in(client)
