"""The follow-up queue of the desk: how the providers stand, its filters, and the buttons of its rows."""

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from reporting.models import AuditEntry, GuardrailFollowUp, ProviderGuardrailStatus
from smplat.lib.query_timeout import QueryTimeoutError
from tests.database import capture, record_follow_up, record_segment
from tests.factories import workflow_event

REPORTS, ONE_CLICK = "/admin/reports", "/admin/reports/followups"

pytestmark = pytest.mark.django_db


def breach(provider_id: str, status: str = "breached", platform: str = "youtube") -> None:
    at = (timezone.now() - timedelta(minutes=5)).isoformat()
    guardrail = {"platformSlug": platform, "guardrailStatus": status}
    capture([workflow_event(providerId=provider_id, providerName=None, guardrail=guardrail, recordedAt=at)])


def section(client, **query: str) -> str:
    page = " ".join(client.get(REPORTS, query).content.decode().split())
    return page[page.index('id="followups"') : page.index('id="conversions"')]


def listed(client, **query: str) -> tuple[list[str], list[str]]:
    """The providers that wait for a follow-up, and those of the follow-ups on show."""
    shown = client.get(REPORTS, query).context["followups"]
    return [alert.provider_id for alert, _ in shown["attention"]], [row["providerId"] for row in shown["queue"]]


def buttons_of(page: str, provider_id: str) -> dict[str, str]:
    """The hidden fields of the buttons of a provider's first row."""
    forms = re.findall(r'<form class="followup-buttons".*?</form>', page)
    form = next(form for form in forms if f'value="{provider_id}"' in form)
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form.partition("<button")[0]))


@pytest.mark.habit(
    "Badges count critical, warning, paused and pending providers.",
    "They stand at the head of the follow-up queue.",
)
def test_the_badges_count_the_providers(operator):
    for provider_id in ("p-1", "p-2"):
        breach(provider_id)
    breach("p-3", "warning")
    breach("p-4", "healthy")
    record_follow_up(provider_id="p-1", action="pause")
    record_follow_up(provider_id="p-5", action="pause")

    badges = re.findall(r'<span class="desk-badge[^>]*>(\d+ \w+)</span>', section(operator))

    assert badges[:4] == ["2 critical", "1 warning", "2 paused", "2 pending"]


@pytest.mark.habit(
    "The queue is filtered by severity, provider and platform, and the address holds the filters.",
    "They are the parameters severity, provider and platform of /admin/reports.",
)
@pytest.mark.parametrize(
    ("query", "waiting", "recorded"),
    [
        ({"severity": "critical"}, ["p-2"], ["p-1"]),
        ({"severity": "warning"}, ["p-3"], []),
        ({"provider": "p-1"}, [], ["p-1"]),
        ({"platform": "tiktok"}, ["p-3"], ["p-4"]),
        ({"provider": "p-1", "platform": "tiktok"}, [], []),
        ({}, ["p-2", "p-3"], ["p-4", "p-1"]),
    ],
    ids=str,
)
def test_filters_choose_what_waits_and_what_was_recorded(operator, query, waiting, recorded):
    breach("p-1")
    record_follow_up(provider_id="p-1", platform_context_id="youtube")
    breach("p-2")
    breach("p-3", "warning", "tiktok")
    record_follow_up(provider_id="p-4", platform_context_id="tiktok")

    assert listed(operator, **query) == (waiting, recorded)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"severity": "dreadful"}, "Must be critical or warning. Showing all severities."),
        ({"provider": "nobody"}, "No provider has this id. Showing all providers."),
        ({"provider": "a\0b"}, "Null characters are not allowed."),
        ({"platform": "nowhere"}, "No platform has this slug. Showing all platforms."),
        ({"platform": "x" * 201}, "Ensure this value has at most 200 characters"),
    ],
)
def test_a_filter_of_an_unknown_value_is_explained(operator, query, problem):
    record_follow_up(provider_id="p-1")

    page = section(operator, **query)

    assert problem in page
    assert "p-1" in page


def test_filters_that_take_too_long_are_explained(operator, monkeypatch):
    def fail(*args: object) -> None:
        raise QueryTimeoutError

    monkeypatch.setattr("reporting.feeds.cursors.Walk.page", fail)

    assert "The database took too long to find follow-ups." in section(operator)


@pytest.mark.habit(
    "One click pauses, resumes or escalates a provider of the queue.", "Each row of the queue has these buttons."
)
def test_a_button_records_what_the_form_records_and_keeps_the_filters(operator):
    breach("p-1")
    record_segment("spring&co")
    query = {"severity": "critical", "conversionCursor": "spring&co"}
    body = {**buttons_of(section(operator, **query), "p-1"), "action": "escalate"}

    answer = operator.post(f"{ONE_CLICK}?{urlencode(query)}", body)

    row = GuardrailFollowUp.objects.get()
    assert answer.url == f"{REPORTS}?severity=critical&conversionCursor=spring%26co#followups"
    assert (row.provider_id, row.action, row.platform_context_id) == ("p-1", "escalate", "youtube")
    assert row.conversion_cursor == "spring&co"
    assert AuditEntry.objects.get().details == {"followUpId": str(row.pk), "action": "escalate"}
    assert "Recorded: escalate of p-1." in operator.get(answer.url).content.decode()


def test_a_button_that_is_pressed_twice_records_once(operator):
    record_follow_up(provider_id="p-1", action="pause")
    body = {**buttons_of(section(operator), "p-1"), "action": "resume"}

    for _ in range(2):
        operator.post(ONE_CLICK, body)

    assert GuardrailFollowUp.objects.filter(action="resume").count() == AuditEntry.objects.count() == 1
    assert not ProviderGuardrailStatus.objects.get().is_paused


def test_buttons_of_a_page_that_was_used_before_record_nothing_else(operator):
    record_follow_up(provider_id="p-1", action="pause")
    body = buttons_of(section(operator), "p-1")
    operator.post(ONE_CLICK, {**body, "action": "resume"})

    answer = operator.post(ONE_CLICK, {**body, "action": "escalate"}, follow=True)

    assert "Nothing was recorded. This form was sent before with other values." in answer.content.decode()
    assert not GuardrailFollowUp.objects.filter(action="escalate").exists()


def test_the_buttons_are_for_those_who_may_record(staff_with):
    record_follow_up(provider_id="p-1")

    assert "followup-buttons" not in section(staff_with("reporting.view_exportrun"))
