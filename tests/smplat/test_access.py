"""Who may call the API when nobody has said so."""

import pytest
from django.core.cache.backends.redis import RedisCache
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from smplat.lib import minutes
from smplat.lib.clients import address
from tests.database import record_follow_up, record_segment
from tests.environment import API_KEY


class Undecided(APIView):
    """A view that names no permission."""

    def get(self, request):
        return Response({})


def test_a_view_that_names_no_permission_lets_nobody_in(rf, admin_user):
    stranger, machine, operator = (rf.get("/", headers=headers) for headers in ({}, {"X-API-Key": API_KEY}, {}))
    operator.user = admin_user

    answers = [Undecided.as_view()(request) for request in (stranger, machine, operator)]

    assert [answer.status_code for answer in answers] == [401, 403, 403]


class TestWrongKeys:
    URL = "/api/v1/reporting/guardrails/followups"

    @pytest.fixture(autouse=True)
    def still_clock(self, monkeypatch):
        """A clock that stands in the middle of a minute."""
        monkeypatch.setattr("smplat.lib.minutes.time.time", lambda: 1_800_000_030.0)

    def ask(self, key, address, **headers):
        return APIClient().get(self.URL, REMOTE_ADDR=address, headers={"X-API-Key": key, **headers})

    def test_sixty_a_minute_lock_an_address_and_no_other(self, db):
        statuses = [self.ask("wrong", "192.0.2.1").status_code for _ in range(60)]
        refused = self.ask("wrong", "192.0.2.1")

        assert set(statuses) == {401}
        assert (refused.status_code, refused["Retry-After"]) == (429, "30")
        assert refused.json()["detail"].startswith("Too many wrong keys")
        assert self.ask(API_KEY, "192.0.2.1").status_code == 429
        assert self.ask(API_KEY, "192.0.2.2").status_code == 200
        assert APIClient().get(self.URL, REMOTE_ADDR="192.0.2.1").status_code == 401

    def test_the_next_minute_is_a_new_one(self, db, monkeypatch):
        for _ in range(60):
            self.ask("wrong", "192.0.2.1")
        monkeypatch.setattr("smplat.lib.minutes.time.time", lambda: 1_800_000_060.0)

        assert self.ask(API_KEY, "192.0.2.1").status_code == 200

    def test_right_keys_are_not_counted(self, db):
        assert {self.ask(API_KEY, "192.0.2.1").status_code for _ in range(61)} == {200}

    def test_an_address_told_by_nobody_trusted_does_not_count(self, db):
        for number in range(60):
            self.ask("wrong", "192.0.2.1", **{"X-Forwarded-For": f"198.51.100.{number}"})

        assert self.ask("wrong", "192.0.2.1").status_code == 429

    def test_counters_that_cannot_be_reached_let_keys_pass(self, db, settings, monkeypatch):
        settings.REDIS_URL = "redis://127.0.0.1:9/0"
        monkeypatch.setattr(minutes, "_redis", lambda: RedisCache(settings.REDIS_URL, {}))

        assert self.ask("wrong", "192.0.2.1").status_code == 401
        assert self.ask(API_KEY, "192.0.2.1").status_code == 200


@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "expected"),
    [
        (0, "192.0.2.1", "198.51.100.1", "192.0.2.1"),
        (1, "192.0.2.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"),
        (2, "192.0.2.1", "203.0.113.9, 198.51.100.1", "203.0.113.9"),
        (3, "192.0.2.1", "198.51.100.1", "198.51.100.1"),
        (1, "192.0.2.1", None, "192.0.2.1"),
        (1, "192.0.2.1", "unknown", "192.0.2.1"),
        (0, "2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::"),
        (0, "::ffff:192.0.2.1", None, "192.0.2.1"),
        (0, "", None, ""),
    ],
)
def test_the_address_is_that_of_the_client(rf, settings, proxies, remote, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}

    assert address(rf.get("/", REMOTE_ADDR=remote, headers=headers)) == expected


@pytest.mark.habit(
    "The web clients read lists, conversions and follow-ups below /api/reporting/, and record follow-ups there.",
    "The same views answer there and below /api/v1/reporting/.",
)
@pytest.mark.django_db
class TestRoutesOfTheOldWebClients:
    @pytest.mark.parametrize(
        ("path", "twin"),
        [
            ("onboarding/experiment-events", "onboarding/experiment-events"),
            ("onboarding/experiment-conversions", "onboarding/experiment-conversions"),
            ("guardrail-followups", "guardrails/followups"),
        ],
    )
    def test_they_answer_as_their_twins(self, api, path, twin):
        record_segment()
        record_follow_up()

        answer = api.get(f"/api/reporting/{path}", {"limit": "1"})

        assert answer.status_code == 200
        assert answer.json() == api.get(f"/api/v1/reporting/{twin}", {"limit": "1"}).json()

    def test_a_follow_up_is_recorded_there(self, api):
        body = {"providerId": "p", "action": "pause"}

        assert api.post("/api/reporting/guardrail-followups", body, format="json").status_code == 201
        assert len(api.get("/api/v1/reporting/guardrails/followups").json()["entries"]) == 1
