"""Digests of guardrail follow-ups: what they say, and when they are queued."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from reporting.alerts import digests, slack
from reporting.models import GuardrailFollowUp, ProviderGuardrailStatus, SlackMessage
from telemetry.models import ATTACHMENT_ACTIONS
from tests.database import capture
from tests.factories import workflow_event

HOOK = "https://hooks.example/services/a-secret"
HOSTILE = "<!channel> <http://evil.example|click> & co"
NOTHING = dict.fromkeys(("attachment", "note", "queue", *ATTACHMENT_ACTIONS), 0)
QUIET = "Workflow, last 24 hours: attachments 0, notes 0, queue 0"
HARMLESS = "&lt;!channel&gt; &lt;http://evil.example|click&gt; &amp; co"


@pytest.fixture(autouse=True)
def webhook(settings):
    settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = HOOK
    settings.PUBLIC_BASE_URL = "https://desk.example"


def follow_up(**changes) -> GuardrailFollowUp:
    """A follow-up that is not stored."""
    values = {
        "provider_id": "provider-viralhub",
        "provider_name": "ViralHub",
        "action": "pause",
        "created_at": timezone.now(),
    }
    return GuardrailFollowUp(**{**values, **changes})


def recorded(is_paused: bool = True, **changes) -> uuid.UUID:
    """A stored follow-up's id; its provider has a state."""
    row = follow_up(**changes)
    row.save()
    ProviderGuardrailStatus.objects.update_or_create(pk=row.provider_id, defaults={"is_paused": is_paused})
    return row.pk


class TestText:
    def test_it_says_who_what_why_where_and_links_to_more(self):
        row = follow_up(
            notes="Spam wave.\nBack on Monday.",
            platform_context_id="instagram",
            platform_context_label="Instagram DM Concierge",
            platform_context_handle="@smplat",
            platform_context_type="IG",
            conversion_cursor="spring-offer",
            conversion_href="https://desk.example/admin/reports?conversionCursor=spring-offer&x=1",
        )

        assert digests.followup_text(row, is_paused=True, actions=NOTHING).split("\n") == [
            "*Guardrail follow-up: ViralHub*",
            "Action: pause. The provider is paused.",
            "> Spam wave.",
            "> Back on Monday.",
            "Platform: Instagram DM Concierge (@smplat, IG)",
            QUIET,
            "<https://desk.example/admin/reports?providerId=provider-viralhub|Provider> · "
            "<https://desk.example/admin/reports?conversionCursor=spring-offer&amp;x=1"
            "|Open conversions>: Historical conversion slice (cursor spring-offer)",
        ]

    def test_what_is_not_known_is_left_out(self):
        text = digests.followup_text(follow_up(provider_name=None, action="escalate"), is_paused=False, actions=NOTHING)

        assert text.split("\n") == [
            "*Guardrail follow-up: provider-viralhub*",
            "Action: escalate. The provider is active.",
            QUIET,
            "<https://desk.example/admin/reports?providerId=provider-viralhub|Provider> · "
            "<https://desk.example/admin/reports#experiment-analytics|Open conversions>: Live conversion snapshot",
        ]

    def test_attachments_are_named_and_linked_and_harmless(self):
        sent = [{"fileName": "a.png", "href": "https://files.example/a.png"}, {"url": "javascript:alert(1)"}, HOSTILE]

        lines = digests.followup_text(follow_up(attachments=sent + [{}] * 4), True, NOTHING).split("\n")

        assert lines[2] == (
            f"Attachments: <https://files.example/a.png|a.png>, attachment, {HARMLESS}, attachment, attachment, 2 more"
        )

    @pytest.mark.habit(
        "A follow-up's digest in Slack always has the link “Open conversions”.",
        "The link is the row's own, else that of the page: pinned to the row's cursor, or live.",
    )
    @pytest.mark.parametrize("href", [None, "", "/admin/reports", "javascript:alert(1)"])
    def test_without_a_link_of_its_own_it_has_the_pages(self, href):
        row = follow_up(conversion_cursor="spring offer", conversion_href=href)

        text = digests.followup_text(row, is_paused=True, actions=NOTHING)

        page = "https://desk.example/admin/reports?conversionCursor=spring%20offer#experiment-analytics"
        assert text.endswith(f"<{page}|Open conversions>: Historical conversion slice (cursor spring offer)")

    def test_without_a_cursor_it_links_to_the_live_snapshot(self):
        text = digests.followup_text(
            follow_up(conversion_href="https://desk.example/live"), is_paused=False, actions=NOTHING
        )

        assert text.endswith("<https://desk.example/live|Open conversions>: Live conversion snapshot")

    def test_nothing_that_operators_write_pings_or_forges_a_link(self):
        names = ("provider_name", "notes", "platform_context_label", "platform_context_handle", "platform_context_type")
        row = follow_up(**dict.fromkeys(names, HOSTILE), conversion_cursor=HOSTILE)

        text = digests.followup_text(row, is_paused=True, actions=NOTHING)

        assert text.count(HARMLESS) == 6
        assert text.count("<") == text.count("<https://desk.example/") == 2, "links of its own are the only ones"

    def test_a_hostile_id_stays_inside_its_link(self):
        text = digests.followup_text(follow_up(provider_id="x|<!here>&y= z"), is_paused=True, actions=NOTHING)

        assert "providerId=x%7C%3C%21here%3E%26y%3D+z|Provider>" in text

    @pytest.mark.parametrize("break_", ["\n", "\r\n", "\r", "\u2028", "\x0b", "\x85"])
    def test_a_name_cannot_pretend_to_be_another_line(self, break_):
        row = follow_up(provider_name=f"Viral{break_}Action: resume.", notes=f"a{break_}Action: resume.")

        lines = digests.followup_text(row, is_paused=True, actions=NOTHING).splitlines()

        assert [line for line in lines if line.startswith("Action:")] == ["Action: pause. The provider is paused."]


class TestLink:
    def test_its_address_cannot_end_it(self):
        assert slack.link('https://a.example/?q=a|b>c<d "e&f=%20', "x") == (
            "<https://a.example/?q=a%7Cb%3Ec%3Cd%20%22e&amp;f=%20|x>"
        )

    @pytest.mark.parametrize("url", ["!channel", "@U123", "#C123", "javascript:alert(1)", "", "/admin/reports"])
    def test_anything_but_http_is_no_link(self, url):
        assert slack.link(url, "a <b>\nc") == "a &lt;b&gt; c"


@pytest.mark.django_db
class TestQueueing:
    def test_it_writes_one_row_that_does_not_hold_the_webhook(self):
        key = recorded(is_paused=True, notes="Spam wave.")

        digests.queue_followup(key)

        message = SlackMessage.objects.get()
        assert (message.dedupe_key, message.state, message.attempts) == (f"followup:{key}", "waiting", 0)
        assert "The provider is paused." in message.text
        assert "secret" not in str(vars(message))

    def test_a_provider_without_a_state_is_active(self):
        key = recorded(action="escalate")
        ProviderGuardrailStatus.objects.all().delete()

        digests.queue_followup(key)

        assert "The provider is active." in SlackMessage.objects.get().text

    def test_the_same_follow_up_is_queued_once(self):
        key = recorded()

        digests.queue_followup(key)
        digests.queue_followup(key)

        assert SlackMessage.objects.count() == 1

    @pytest.mark.habit(
        "A follow-up's digest counts the provider's workflow actions of the last day.",
        "It counts attachments by kind, notes and queue actions of the last 24 hours.",
    )
    def test_it_counts_what_was_done_for_the_provider_in_the_last_day(self):
        now = timezone.now()
        actions = ["attachment.upload", "attachment.upload", "attachment.tag", "note.update", "queue.pause", "other"]
        capture([workflow_event(workflowAction=action, recordedAt=now.isoformat()) for action in actions])
        yesterday = (now - timedelta(hours=25)).isoformat()
        capture([workflow_event(recordedAt=yesterday), workflow_event(providerId="p2", recordedAt=now.isoformat())])

        digests.queue_followup(recorded())

        counted = "Workflow, last 24 hours: attachments 3 (upload 2, tag 1), notes 1, queue 1"
        assert counted in SlackMessage.objects.get().text.split("\n")

    def test_it_costs_two_queries_and_one_insert_whatever_slack_does(self, django_assert_num_queries):
        key = recorded()

        with django_assert_num_queries(3):
            digests.queue_followup(key)

    def test_without_a_webhook_it_costs_nothing(self, settings, django_assert_num_queries):
        settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = ""
        key = recorded()

        with django_assert_num_queries(0):
            digests.queue_followup(key)

    def test_it_is_rolled_back_with_its_follow_up(self):
        with transaction.atomic():
            digests.queue_followup(recorded())
            assert SlackMessage.objects.exists()
            transaction.set_rollback(True)

        assert not SlackMessage.objects.exists()

    def test_a_follow_up_that_is_not_recorded_is_an_error(self):
        with pytest.raises(GuardrailFollowUp.DoesNotExist):
            digests.queue_followup(uuid.uuid4())

    def test_a_worker_is_told_after_the_commit(self, django_capture_on_commit_callbacks, monkeypatch):
        from reporting.tasks import deliver_slack

        calls: list[str] = []
        monkeypatch.setattr(deliver_slack, "apply_async", lambda *args, **options: calls.append("told"))

        with django_capture_on_commit_callbacks(execute=True):
            digests.queue_followup(recorded())
            assert calls == []

        assert calls == ["told"]

    def test_an_unreachable_broker_fails_nothing(self, django_capture_on_commit_callbacks, monkeypatch, caplog):
        from reporting.tasks import deliver_slack

        def fail(*args: object, **options: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(deliver_slack, "apply_async", fail)

        with django_capture_on_commit_callbacks(execute=True):
            digests.queue_followup(recorded())

        assert SlackMessage.objects.count() == 1
        assert "the broker cannot be reached" in caplog.text
