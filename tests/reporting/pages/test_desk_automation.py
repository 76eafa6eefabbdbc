"""The provider automation on the reports page."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting.feeds.schedule import AUTOMATION_MINUTES, next_start
from reporting.insights import automation
from reporting.models import AutomationRun
from tests.database import capture
from tests.factories import workflow_event

REPORTS = "/admin/reports"

pytestmark = pytest.mark.django_db


def breach(provider_id: str, status: str = "breached") -> None:
    at = (timezone.now() - timedelta(minutes=5)).isoformat()
    guardrail = {"platformSlug": "youtube", "guardrailStatus": status}
    capture([workflow_event(providerId=provider_id, providerName=None, guardrail=guardrail, recordedAt=at)])


def section(client) -> str:
    page = " ".join(client.get(REPORTS).content.decode().split())
    return page[page.index('id="automation"') : page.index('id="followups"')]


def test_before_the_first_run_it_says_when_there_will_be_one(operator):
    page = section(operator)

    assert "No runs yet" in page
    assert f"{next_start(AUTOMATION_MINUTES, timezone.now()):%Y-%m-%d %H:%M} UTC" in page


@pytest.mark.habit(
    "The automation card lists its runs with what each one saw.",
    "/admin/reports#automation has the last run, the next one, and the newest ten with counts and providers.",
)
def test_a_run_is_shown_with_what_it_saw(operator):
    breach("p-1")
    breach("p-2", "warning")
    breach("p-3", "healthy")
    run = automation.run()

    shown = operator.get(REPORTS).context["automation"]["last"]
    page = section(operator)

    assert (shown.critical, shown.warning, shown.seen, shown.events) == (1, 1, 3, 3)
    assert '<a href="/admin/reports?providerId=p-1#followups">p-1</a> critical' in page
    assert '<a href="/admin/reports?providerId=p-2#followups">p-2</a> warning' in page
    assert f'href="/admin/reporting/automationrun/{run.pk}/change/"' in page
    assert ">Alerted</span>" in page


def test_a_summary_that_was_not_read_is_said_with_its_reason(operator):
    problem = {"workflowTelemetry": None, "workflowTelemetryError": "Nothing <i>answers</i>."}
    AutomationRun.objects.create(ran_at=timezone.now(), summary={}, metadata=problem)

    page = section(operator)

    assert ">Summary not read</span>" in page
    assert "Nothing &lt;i&gt;answers&lt;/i&gt;." in page


def test_the_page_of_a_run_is_a_link_for_those_who_may_open_it(staff_with):
    run = automation.run()
    link = f"/admin/reporting/automationrun/{run.pk}/change/"

    assert link not in section(staff_with("reporting.view_exportrun"))
    assert link in section(staff_with("reporting.view_exportrun", "reporting.view_automationrun"))


def test_it_shows_the_newest_ten_by_one_query(operator):
    now = timezone.now()
    for number in range(12):
        AutomationRun.objects.create(ran_at=now - timedelta(hours=number), summary={}, metadata={})

    with CaptureQueriesContext(connection) as queries:
        runs = operator.get(REPORTS).context["automation"]["runs"]

    assert [run.at for run in runs] == [now - timedelta(hours=number) for number in range(10)]
    assert len([query for query in queries if "reporting_automationrun" in query["sql"]]) == 1


@pytest.mark.parametrize(("minute", "expected"), [(24, (8, 25)), (25, (9, 25))])
def test_the_next_start_is_later_than_now(minute, expected):
    start = next_start("25", datetime(2026, 11, 30, 8, minute, tzinfo=UTC))

    assert (start.hour, start.minute) == expected
