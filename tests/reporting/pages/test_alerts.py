"""The page of alerts: what is open, who is notified, and what an operator may do about it."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from reporting.insights import health
from reporting.models import AlertDelivery, AlertMute, AuditEntry, Beat, WebhookDestination

PAGE = "/admin/reports/alerts"
VIEW, MUTE = "reporting.view_exportrun", "reporting.add_alertmute"
GIVEN = {"kind": "destination_disabled", "feed": "onboarding_segments", "duration": "8h", "reason": "They are moving."}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def disabled(settings, tmp_path):
    """A desk of which one webhook wants nothing any more, and that notifies one address."""
    settings.VAR_DIR, settings.ALERT_URLS, settings.SLACK_WEBHOOK_URL = tmp_path, ["mailto:ops@shop.example"], ""
    for role in Beat.Role:
        Beat.objects.create(role=role, host="a", process=1, lake="x", started_at=Now() - timedelta(hours=1))
    WebhookDestination.objects.disable("ANALYTICS_SEGMENTS_WEBHOOK", "410")
    health.look()


def shown(client, path: str = PAGE) -> str:
    return " ".join(client.get(path).content.decode().split())


def test_it_shows_what_is_open_who_is_notified_and_what_was_sent(operator):
    page = shown(operator)

    assert 'id="open-destination_disabled-onboarding_segments"' in page
    assert "<li>ops@shop.example</li>" in page
    assert 'Webhook disabled, onboarding_segments: Began</td> <td class="desk-sentence">Waiting</td>' in page


def test_what_has_ended_is_history(operator):
    WebhookDestination.objects.all().enable()
    health.look()

    page = shown(operator)

    assert "Nothing is wrong." in page
    assert "Nothing has been resolved yet." not in page


@pytest.mark.parametrize(
    ("duration", "until"), [("1h", timedelta(hours=1)), ("8h", timedelta(hours=8)), ("resolved", None)]
)
def test_a_mute_holds_for_its_time_and_says_who_and_why(operator, duration, until):
    answer = operator.post(f"{PAGE}/mute", {**GIVEN, "duration": duration}, follow=True)

    muted = AlertMute.objects.get()
    assert (muted.until - muted.at if muted.until else None) == until
    assert f"by operator: {GIVEN['reason']}" in " ".join(answer.content.decode().split())
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject, entry.details) == (
        "mute_alerts",
        "onboarding_segments",
        {**GIVEN, "duration": duration},
    )


def test_the_newest_mute_counts(operator):
    operator.post(f"{PAGE}/mute", GIVEN)
    operator.post(f"{PAGE}/mute", {**GIVEN, "duration": "1h"})

    (active,) = AlertMute.objects.active(timezone.now())
    assert active.until is not None
    assert active.until - active.at == timedelta(hours=1)


def test_a_mute_can_be_lifted_once(operator):
    operator.post(f"{PAGE}/mute", GIVEN)
    muted = AlertMute.objects.get()

    operator.post(f"{PAGE}/mutes/{muted.pk}/lift")
    operator.post(f"{PAGE}/mutes/{muted.pk}/lift")

    assert not AlertMute.objects.active(timezone.now()).exists()
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["mute_alerts", "unmute_alerts"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "rubbish"}, "Kind: Select a valid choice."),
        ({"feed": "gone"}, "Feed: Select a valid choice."),
        ({"duration": "1y"}, "Duration: Select a valid choice."),
        ({"reason": ""}, "Reason: This field is required."),
        ({"reason": "x" * 501}, "Reason: Ensure this value has at most 500 characters"),
    ],
)
def test_rubbish_is_explained_and_the_page_lives(operator, change, said):
    answer = operator.post(f"{PAGE}/mute", {**GIVEN, **change})

    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert 'id="open-destination_disabled-onboarding_segments"' in answer.content.decode()
    assert not AlertMute.objects.exists()


def test_a_test_goes_to_every_channel(operator):
    operator.post(f"{PAGE}/test")

    assert [each.channel for each in AlertDelivery.objects.filter(event="test")] == ["ops@shop.example"]


def test_who_may_only_view_is_offered_nothing(staff_with):
    viewer = staff_with(VIEW)

    assert '<button class="desk-button desk-button-small">Mute' not in shown(viewer)
    assert viewer.post(f"{PAGE}/mute", GIVEN).status_code == 403
    assert viewer.post(f"{PAGE}/test").status_code == 403


def test_it_takes_the_same_queries_however_much_there_is(operator, django_assert_max_num_queries):
    for number in range(60):
        AlertMute.objects.create(kind="drift", feed="quick_order", reason=str(number))
        AlertDelivery.objects.create(channel="a", event="test")

    with django_assert_max_num_queries(16):
        operator.get(PAGE)


def test_an_exception_names_a_channel_that_there_is(operator):
    added = {"channel": "ops@shop.example", "kind": "drift", "feed": ""}
    assert operator.post("/admin/reporting/alertrule/add/", added).status_code == 302

    refused = operator.post("/admin/reporting/alertrule/add/", {**added, "channel": "nobody"})
    assert "Select a valid choice" in refused.content.decode()
