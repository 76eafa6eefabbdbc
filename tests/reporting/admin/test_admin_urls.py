"""What a URL of Django's admin may ask: the declared filters, and nothing that the database stumbles over."""

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from reporting.models import Checkpoint

RUNS = "/admin/reporting/exportrun/"
MOVES = "/admin/reporting/checkpointmove/"
EVENTS = "/admin/telemetry/quickorderevent/"
USERS = "/admin/auth/user/"
GROUPS = "/admin/auth/group/"
SEARCH = "/admin/search/"
AUTOCOMPLETE = "/admin/autocomplete/?term=a%00b&app_label=reporting"


def status(client, url):
    client.raise_request_exception = False
    with transaction.atomic():
        return client.get(url).status_code


@pytest.mark.parametrize(
    "url",
    [
        f"{RUNS}?created_at__year=1e18",
        f"{RUNS}?created_at__year=999999999999",
        f"{RUNS}?feed__regex=(",
        f"{RUNS}?feed__regex=a",
        f"{RUNS}?feed=quick_order",
        f"{RUNS}?feed=a%00b",
        f"{RUNS}?a%00b=1",
        f"{RUNS}?id__gte=nonsense",
        f"{RUNS}?nothing=1",
        f"{RUNS}?run__feed=1",
        f"{MOVES}?feed__exact=a%00b",
        f"{MOVES}?feed__regex=a",
        f"{MOVES}?run__feed=quick_order",
        f"{EVENTS}?recorded_at__year=1e18",
        f"{EVENTS}?metadata__reason=a",
        f"{USERS}?date_joined__year=999999999",
        f"{USERS}?password__startswith=a",
        f"{USERS}?username__regex=(",
        f"{USERS}?is_staff__exact=%00",
        f"{GROUPS}?name__regex=(",
        f"{GROUPS}?name=a%00b",
        f"{SEARCH}?s=a&page=nonsense",
        f"{SEARCH}?s=a&page=9",
        "/admin/reports/runs/?until=9999-12-31",
    ],
)
def test_a_lookup_that_is_not_declared_or_not_valid_is_refused(operator, url):
    assert status(operator, url) == 400


@pytest.mark.parametrize(
    "path",
    [
        "/admin/reporting/checkpoint/a%00b/change/",
        "/admin/reporting/checkpoint/a%00b/history/",
        "/admin/reporting/checkpoint/a%00b/rewind/",
        "/admin/reporting/providerguardrailstatus/a%00b/change/",
        "/admin/auth/user/a%00b/change/",
        "/admin/r/{type}/a%00b/",
    ],
)
def test_a_path_with_a_nul_character_is_refused(operator, path):
    checkpoints = ContentType.objects.get_for_model(Checkpoint)

    assert status(operator, path.format(type=checkpoints.pk)) == 400


@pytest.mark.parametrize(
    "url",
    [
        f"{MOVES}?feed__exact=quick_order&reason__exact=undo",
        f"{MOVES}?feed=quick_order",
        f"{RUNS}?q=a&p=1&o=1",
        f"{RUNS}?q=a%00b",
        f"{EVENTS}?q=a%00b",
        f"{USERS}?q=oper&is_staff__exact=1&o=1",
        f"{USERS}?q=a%00b",
        f"{USERS}?groups__id__exact=9999999999999999999999",
        f"{GROUPS}?q=a",
        f"{SEARCH}?s=a",
        f"{MOVES}?q=00000000-0000-0000-0000-000000000007",
        "/admin/reporting/webhookdestination/?q=00000000-0000-0000-0000-000000000007",
        f"{SEARCH}?s=a&page=1",
        f"{AUTOCOMPLETE}&model_name=auditentry&field_name=user",
        f"{AUTOCOMPLETE}&model_name=checkpointmove&field_name=run",
    ],
)
def test_declared_filters_searches_and_pages_are_answered(operator, url):
    assert status(operator, url) == 200


@pytest.mark.parametrize("model", ["reporting/checkpoint", "telemetry/quickorderevent", "auth/user"])
@pytest.mark.parametrize("page", ["change", "delete"])
def test_an_empty_name_of_a_field_is_that_of_the_key(operator, model, page):
    usual = status(operator, f"/admin/{model}/1/{page}/")

    assert usual < 500
    assert status(operator, f"/admin/{model}/1/{page}/?_to_field=") == usual


def test_a_chosen_key_with_a_nul_character_is_refused(operator):
    operator.raise_request_exception = False
    form = {"action": "enable", "_selected_action": "a\0b"}

    assert operator.post("/admin/reporting/webhookdestination/", form).status_code == 400


def test_a_move_of_too_many_digits_is_not_found(operator):
    operator.raise_request_exception = False
    Checkpoint.objects.create(feed="quick_order", position=0, cursor="2026-01-01T00:00:00Z", rows=0)

    assert operator.post("/admin/reporting/checkpoint/quick_order/undo/", {"move": "9" * 5_000}).status_code == 404


def test_a_page_beyond_the_last_one_is_refused(operator, monkeypatch):
    monkeypatch.setattr("smplat.lib.admin.EvidenceAdmin.list_per_page", 1)
    monkeypatch.setattr("smplat.lib.admin.EvidenceAdmin.list_max_show_all", 0)
    for key in ("quick_order", "guardrail_workflow"):
        Checkpoint.objects.create(feed=key, position=0, cursor="2026-01-01T00:00:00Z", rows=0)

    assert status(operator, "/admin/reporting/checkpoint/?p=2") == 200
    assert status(operator, "/admin/reporting/checkpoint/?p=9") == 400
