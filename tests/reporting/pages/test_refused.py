"""The page of refused events: why, how often by day, what they looked like, and their CSV."""

import csv
import json
from datetime import timedelta
from io import StringIO

import pytest
from django.db.models import F

from telemetry.models import Refusal
from tests.factories import quick_order_event

PAGE = "/admin/reports/refused"
VIEW, EXPORT = "reporting.view_exportrun", "reporting.export_data"

pytestmark = pytest.mark.django_db


def refuse(client, *events: object) -> None:
    client.generic("POST", "/api/telemetry", json.dumps(events), "application/json")


def shown(client, query: str = "") -> str:
    return " ".join(client.get(PAGE + query).content.decode().split())


def test_an_empty_desk_says_so(operator):
    assert "No event has been refused in the last 14 days." in shown(operator)


def test_reasons_are_counted_by_day_the_most_frequent_first(operator, stranger):
    refuse(stranger, quick_order_event(recordedAt="x"), quick_order_event(recordedAt="y"))
    Refusal.objects.update(at=F("at") - timedelta(days=2))
    refuse(stranger, quick_order_event(recordedAt="z"), {"name": 7})

    page = shown(operator)

    assert page.index("recordedAt") < page.index("<code>name</code>")
    assert f'aria-label="Events by day: {"0 " * 11}2 0 1 "' in page
    assert "must be an ISO 8601 time" in page
    assert "<td>Quick-order telemetry</td>" in page
    assert "<td>Unrecognised</td>" in page


def test_a_reason_leads_to_its_events(operator, stranger):
    refuse(stranger, quick_order_event(recordedAt="x"), {"name": 7})

    page = shown(operator, "?field=name")

    assert "Newest events with this reason" in page
    assert "&quot;name&quot;: 7" in page
    assert "recordedAt&quot;: &quot;x" not in page


@pytest.mark.parametrize("query", ["?field=%00", "?line=nothing&reason=%ff", "?field=" + "x" * 5_000])
def test_a_filter_of_rubbish_finds_nothing_and_harms_nothing(operator, query):
    assert operator.get(PAGE + query).status_code == 200


@pytest.mark.parametrize("start", "=+-@\t\r\n＝＋－＠")
def test_the_csv_holds_what_the_page_is_about_and_no_formula(operator, stranger, start):
    refuse(stranger, quick_order_event(recordedAt="x"), {"name": 7})
    Refusal.objects.filter(field="name").update(origin=f"{start}cmd()")

    answer = operator.get(f"{PAGE}/csv?field=name")

    (row,) = csv.DictReader(StringIO(b"".join(answer.streaming_content).decode(), newline=""))
    assert (row["field"], row["origin"], row["event"]) == ("name", f"'{start}cmd()", '{"name": 7}')


def test_the_csv_takes_the_permission_to_export(staff_with, stranger):
    refuse(stranger, {"name": 7})
    viewer = staff_with(VIEW)

    assert "Download CSV" not in shown(viewer)
    assert viewer.get(f"{PAGE}/csv").status_code == 403
    assert "Download CSV" in shown(staff_with(VIEW, EXPORT))


def test_it_takes_the_same_queries_however_much_there_is(operator, stranger, django_assert_max_num_queries):
    for _ in range(3):
        refuse(stranger, *[{"name": number} for number in range(100)])

    with django_assert_max_num_queries(8):
        operator.get(PAGE)
