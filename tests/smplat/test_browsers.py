"""What only browsers need is left out for holders of a key, and for nobody else."""

import pytest

from tests.environment import API_KEY

LIST = "/api/v1/reporting/guardrails/followups"


@pytest.mark.django_db
def test_a_key_beside_a_session_counts_alone(operator):
    assert operator.get(LIST, headers={"X-API-Key": API_KEY}).status_code == 200
    assert operator.get(LIST, headers={"X-API-Key": "wrong"}).status_code == 401
    assert operator.get(LIST).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("key", [API_KEY, "wrong"])
@pytest.mark.parametrize("path", ["/admin/reports", "/admin/", "/api/docs/"])
def test_a_key_is_nothing_to_a_page(operator, path, key):
    assert operator.get(path, headers={"X-API-Key": key}).status_code == operator.get(path).status_code == 200


@pytest.mark.django_db
def test_a_key_opens_no_page(client):
    assert client.get("/admin/reports", headers={"X-API-Key": API_KEY}).status_code == 302


@pytest.mark.django_db
def test_answers_to_keys_have_the_headers_of_those_to_strangers(api, stranger):
    given, refused = api.get(LIST), stranger.get(LIST)

    assert set(refused.headers) - set(given.headers) == {"WWW-Authenticate"}
    assert given["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in given["Content-Security-Policy"]
