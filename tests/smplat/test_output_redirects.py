"""No link to the desk leads on to another site, whatever it carries."""

import re
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import get_resolver

from tests.database import capture_quick_orders, export
from tests.urlconf import filled_in, routes

OWN = "http://testserver/"
PASSWORD = "a-password-for-tests"
ELSEWHERE = [
    "https://elsewhere.example",
    "//elsewhere.example",
    "///elsewhere.example",
    "////elsewhere.example/..",
    "https:elsewhere.example",
    "https:/elsewhere.example",
    "https:///elsewhere.example",
    "http:\\\\elsewhere.example",
    "\\\\elsewhere.example",
    "/\\elsewhere.example",
    "\\/elsewhere.example",
    " //elsewhere.example",
    "\t//elsewhere.example",
    "/\t/elsewhere.example",
    "/\n/elsewhere.example",
    "ht\ntps://elsewhere.example",
    "http://testserver@elsewhere.example",
    "http://testserver:80@elsewhere.example",
    "http://testserver.elsewhere.example",
    "http://[::ffff:7f00:1]",
    "javascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,x",
    "ftp://testserver/",
]
#: Names under which sites take addresses to go on to, the desk's own among them.
NAMES = ["next", "next_page", "redirect", "redirect_to", "return_to", "url", "to", "continue", "success_url"]
UUID = "00000000-0000-0000-0000-000000000007"
VALUES = {"feed_key": "quick_order", "feed": "quick_order", "order_id": UUID, "key": UUID, "id": "1", "token": "x"}


def leads_elsewhere(location: str) -> bool:
    """Whether a browser would leave the site for ``location``, which it reads as the URL standard of WHATWG says."""
    read = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(33))))).replace("\\", "/")
    read = re.sub(r"^(https?):/*", r"\1://", read)
    target = urlsplit(urljoin(OWN, re.sub(r"^//+", "//", read)))
    return (target.scheme, target.netloc) not in {("http", "testserver"), ("https", "testserver")}


def location_of(answer) -> str:
    return str(answer.headers.get("Location", ""))


@pytest.mark.parametrize("address", ELSEWHERE)
def test_the_tests_know_what_leads_elsewhere(address):
    assert leads_elsewhere(address)
    assert not leads_elsewhere(f"/admin/login/?next={address}")


@pytest.mark.django_db
class TestSignIn:
    @pytest.fixture
    def client(self, settings):
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        User.objects.create_superuser("operator", password=PASSWORD)
        return Client()

    @pytest.mark.parametrize("address", ELSEWHERE)
    def test_it_goes_on_within_the_site_alone(self, client, address):
        fields = {"username": "operator", "password": PASSWORD, "next": address}

        signed_in = client.post("/admin/login/", fields, query_params={"next": address})
        already = client.get("/admin/login/", {"next": address})
        out = client.post("/admin/logout/", {"next": address}, query_params={"next": address})

        assert (signed_in.status_code, already.status_code) == (302, 302)
        assert [where for answer in (signed_in, already, out) if leads_elsewhere(where := location_of(answer))] == []

    def test_it_goes_on_to_the_page_that_was_asked_for(self, client):
        fields = {"username": "operator", "password": PASSWORD, "next": "/admin/onboarding?slug=a"}

        assert location_of(client.post("/admin/login/", fields)) == "/admin/onboarding?slug=a"


@pytest.mark.django_db
class TestEveryAddress:
    def test_it_leads_on_within_the_site_alone(self, operator):
        address = "/\\elsewhere.example"
        capture_quick_orders()
        values = {**VALUES, "run_id": str(export().pk), "object_id": address, "content_type_id": "1", "mute_id": "1"}
        given = {
            **dict.fromkeys(NAMES, address),
            "_changelist_filters": f"next={address}",
            "providerId": "//elsewhere.example",
        }
        given |= {"action": "pause", "provider_id": "//elsewhere.example\r\nSet-Cookie: a=b", "token": UUID}
        headers = {
            "Referer": "https://elsewhere.example",
            "X-Forwarded-Host": "elsewhere.example",
            "Forwarded": "host=elsewhere.example",
        }
        led: dict[tuple[str, str], str] = {}
        for path in {filled_in(route, **values) for route in routes(get_resolver()) if "logout" not in route}:
            asked = operator.get(path, given, headers=headers)
            sent = operator.post(f"{path}?{urlencode(given)}", given, headers=headers)
            led |= {("GET", path): location_of(asked), ("POST", path): location_of(sent)}
            asked.getvalue()

        assert {asked: location for asked, location in led.items() if leads_elsewhere(location)} == {}
        assert led["POST", "/admin/reports"].startswith("/admin/reports?")

    @pytest.mark.parametrize(
        "path",
        [
            "//elsewhere.example",
            "//elsewhere.example/admin",
            "//elsewhere.example/admin/reports",
            "/\\elsewhere.example/admin",
            "/admin//elsewhere.example",
            "/admin/reports//elsewhere.example",
            "/admin/\t/elsewhere.example",
        ],
    )
    def test_a_path_that_looks_like_a_host_leads_nowhere(self, operator, path):
        assert not leads_elsewhere(location_of(operator.get("/", PATH_INFO=path)))

    def test_a_host_that_is_not_ours_is_refused(self, client):
        assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400
