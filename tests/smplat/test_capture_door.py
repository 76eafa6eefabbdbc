"""The door of capture: what it answers is what Django answers, header by header."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from smplat.front import capture
from tests.factories import quick_order_event, workflow_event
from tests.front_client import FrontClient

pytestmark = pytest.mark.django_db
GENERAL, QUICK_ORDER = "/api/telemetry", "/api/telemetry/quick-order"
LISTED = "https://shop.example"


def batch() -> list[Any]:
    return [quick_order_event(), {"name": "x"}, quick_order_event(id=5, **{"a\u2028b": "\u00e9"}), workflow_event()]


@pytest.fixture(autouse=True)
def listed_origin(settings):
    settings.CORS_ALLOWED_ORIGINS = [LISTED]


@pytest.mark.parametrize("route", [GENERAL, QUICK_ORDER])
@pytest.mark.parametrize("origin", ["", LISTED, "https://evil.example"])
@pytest.mark.parametrize("content_type", ["application/json", "text/plain;charset=UTF-8", ""])
def test_both_give_the_same_answer(route, origin, content_type):
    front, headers = FrontClient(), {"Origin": origin} if origin else {}
    front.generic("POST", route, json.dumps(quick_order_event()), content_type, headers)
    before = front.threads.answered

    ours = front.generic("POST", route, json.dumps(batch()), content_type, headers)
    djangos = APIClient().generic("POST", route, json.dumps(batch()), content_type, headers=headers)

    assert front.threads.answered == before
    assert (ours.status_code, ours.content) == (djangos.status_code, djangos.content)
    assert list(ours.headers.items()) == [(name.lower(), value) for name, value in djangos.headers.items()]


def test_what_is_refused_is_refused_by_django_alone():
    front = FrontClient()
    refused = ["", "{", "[]", json.dumps(quick_order_event(id=5)), json.dumps([{"name": "x"}] * 1_001)]

    statuses = [front.generic("POST", GENERAL, body, "application/json").status_code for body in refused]

    assert statuses == [400, 400, 400, 400, 413]
    assert front.threads.answered == len(refused)


def test_a_large_body_is_parsed_in_a_thread():
    front = FrontClient()
    large = [quick_order_event(metadata={"note": "x" * 5_000}) for _ in range(20)]

    answer = front.generic("POST", GENERAL, json.dumps(large), "application/json")

    assert (answer.status_code, answer.json()["accepted"]) == (202, 20)
    assert front.threads.answered == 1


def test_a_host_that_is_not_allowed_is_refused_as_ever(settings):
    settings.ALLOWED_HOSTS = ["testserver"]
    front = FrontClient()

    answer = front.generic("POST", GENERAL, json.dumps(quick_order_event()), headers={"Host": "evil.example"})

    assert answer.status_code == 400
    assert front.threads.answered == 1


def test_clients_that_name_ever_new_origins_take_nobodys_place_for_long(monkeypatch):
    monkeypatch.setattr(capture, "_MAX_KINDS", 3)
    front, body = FrontClient(), json.dumps(quick_order_event())
    for number in range(5):
        front.generic("POST", GENERAL, body, "application/json", {"Origin": f"https://{number}.example"})

    before = front.threads.answered
    for _ in range(3):
        front.generic("POST", GENERAL, body, "application/json", {"Origin": LISTED})

    assert front.threads.answered == before + 1
