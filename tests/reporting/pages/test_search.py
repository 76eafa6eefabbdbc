"""The search of every page: what a number, an id, a session or a provider leads to."""

import re
import uuid

import pytest
from django.db import connection

from reporting.models import OnboardingJourney
from reporting.pages import search
from tests.database import capture, capture_quick_orders, export, record_follow_up, record_segment
from tests.factories import quick_order_event

VIEW = "reporting.view_exportrun"

pytestmark = pytest.mark.django_db


def found(client, term: str) -> dict[str, str]:
    """The titles that the palette lists, and where they lead."""
    answer = client.get("/admin/search/", {"s": term, "extended": "1"})
    assert answer.status_code == 200
    items = re.findall(r'href="([^"]+)"\s+data-title="([^"]+)"', answer.content.decode())
    return {title: link for link, title in items}


def order(number: str) -> uuid.UUID:
    journey = OnboardingJourney.objects.create(order_id=uuid.uuid4(), order_number=number)
    return journey.order_id


@pytest.mark.parametrize("term", ["4711", "SO-4711-B", "so-4711", "11-b", " 4711 "])
def test_an_order_is_found_by_a_part_of_its_number(operator, term):
    wanted = order("SO-4711-B")
    order("SO-1147-A")

    assert found(operator, term) == {"Order SO-4711-B": f"/admin/onboarding/orders/{wanted}"}


@pytest.mark.parametrize("term", ["47%1", "4_11", "\\", "'; --", "47", "9" * 201, "\0", "%%%"])
def test_rubbish_finds_nothing(operator, term):
    order("SO-4711-B")

    assert found(operator, term) == {}


def test_an_order_a_run_and_a_record_are_found_by_their_ids(operator):
    wanted = order("SO-4711")
    segment = record_segment()
    capture_quick_orders()
    run = export()
    follow_up = record_follow_up(provider_id="Viral")["entry"]["id"]

    assert found(operator, str(wanted)) == {"Order SO-4711": f"/admin/onboarding/orders/{wanted}"}
    assert found(operator, str(run.pk)) == {f"Run {str(run.pk)[:8]}": f"/admin/reports/runs/{run.pk}"}
    assert found(operator, str(segment)) == {
        str(segment): f"/admin/reports/feeds/onboarding_segments/records/{segment}"
    }
    assert list(found(operator, follow_up)) == [follow_up]


def test_an_event_is_found_by_the_id_that_its_client_sent(operator):
    capture([quick_order_event(id="evt_1731052800000_A1")])

    ((title, link),) = found(operator, "evt_1731052800000_A1").items()

    assert title == "evt_1731052800000_A1"
    assert operator.get(link).status_code == 200


def test_a_session_lists_its_events(operator):
    ids = capture_quick_orders(2, sessionId="Qos_Mine")
    capture_quick_orders(1, sessionId="qos_mine")

    links = found(operator, "Qos_Mine")

    assert list(links) == ["quick_order.start of session Qos_Mine"]
    assert links["quick_order.start of session Qos_Mine"].rsplit("/", 1)[1] in ids


def test_a_session_is_looked_for_among_the_newest_events(operator, monkeypatch):
    monkeypatch.setattr(search, "SEARCHED_EVENTS", 3)
    capture_quick_orders(1, sessionId="old")
    capture_quick_orders(2)
    assert len(found(operator, "old")) == 1

    capture_quick_orders(1)

    assert found(operator, "old ") == {}


def test_a_provider_leads_to_its_timeline(operator):
    record_follow_up(provider_id="Viral", provider_name="ViralHub")

    assert found(operator, "Viral") == {"ViralHub": "/admin/reports?providerId=Viral#followups"}


def test_who_may_not_view_finds_nothing(staff_with):
    order("SO-4711")

    assert found(staff_with("auth.view_user"), "4711") == {}
    assert list(found(staff_with(VIEW, "auth.view_group"), "4711")) == ["Order SO-4711"]


def test_every_query_uses_an_index(operator, django_assert_max_num_queries):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
    plan = OnboardingJourney.objects.numbered_like("4711").explain()

    assert "Bitmap Index Scan on journeys_by_part_of_number" in plan
    with django_assert_max_num_queries(21):
        found(operator, str(uuid.uuid4()))
