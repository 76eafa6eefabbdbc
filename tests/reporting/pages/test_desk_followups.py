"""Follow-ups and conversions on the desk: queue, timeline, form, and the pinned slice."""

import html
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg import sql

from reporting.insights import conversions
from reporting.models import AuditEntry, GuardrailFollowUp, PricingExperimentSegment, SlackMessage
from reporting.pages import conversions as conversions_page
from smplat.lib.query_timeout import QueryTimeoutError
from tests.database import capture, record_follow_up, record_segment
from tests.factories import follow_up, workflow_event

REPORTS = "/admin/reports"
FOLLOW_UPS = "/api/v1/reporting/guardrails/followups"

pytestmark = pytest.mark.django_db


def status_event(provider_id: str, status: str, age: timedelta = timedelta(minutes=5)) -> None:
    at = (timezone.now() - age).isoformat()
    guardrail = {"platformSlug": "youtube", "guardrailStatus": status}
    capture([workflow_event(providerId=provider_id, providerName=None, guardrail=guardrail, recordedAt=at)])


def part(answer, start: str, end: str) -> str:
    page = " ".join(answer.content.decode().split())
    return page[page.index(start) : page.index(end)]


def section(client, **query) -> str:
    return part(client.get(REPORTS, query), 'id="followups"', 'id="conversions"')


def token(client, **query) -> str:
    found = re.search(r'name="token" value="([^"]+)"', section(client, **query))
    assert found is not None
    return found[1]


def sent(**changes) -> dict[str, str]:
    return {"action": "pause", "provider_id": "p-1", "token": str(uuid.uuid4()), **changes}


def pin_of(page: str) -> str:
    """The link that pins the conversions on show."""
    found = re.search(r'href="([^"]+)">Pin this slice', page)
    assert found is not None
    return html.unescape(found[1])


class TestQueue:
    def test_an_empty_one_says_what_to_do(self, operator):
        assert "No follow-up was recorded yet. The form beside records one." in section(operator)

    def test_it_holds_the_newest_of_all_providers_first(self, operator):
        record_follow_up(provider_id="older-one", notes="first")
        record_follow_up(provider_id="newer-one", notes="second")

        page = section(operator)

        assert page.index("newer-one") < page.index("older-one")
        assert "second" in page

    def test_walking_older_pages_meets_each_once(self, operator):
        for number in range(40):
            record_follow_up(provider_id=f"provider-{number:02}")
        seen, url = [], REPORTS
        while url:
            context = operator.get(url).context["followups"]
            seen += [entry["providerId"] for entry in context["queue"]]
            url = context["older"]

        assert seen == [f"provider-{number:02}" for number in reversed(range(40))]

    def test_a_provider_is_shown_with_severity_and_pause(self, operator):
        status_event("p-1", "breached")
        record_follow_up(provider_id="p-1", action="pause")

        page = section(operator)

        assert ">critical</span>" in page
        assert ">paused</span>" in page
        assert "Needs attention" not in page

    @pytest.mark.parametrize(("status", "severity"), [("breached", "critical"), ("warning", "warning")])
    def test_a_breach_without_an_answer_needs_attention(self, operator, status, severity):
        record_follow_up(provider_id="p-1")
        status_event("p-1", status, -timedelta(seconds=1))
        status_event("p-1", status, timedelta(seconds=0))

        page = section(operator)

        assert "Needs attention" in page
        assert f">{severity}</span>" in page

    @pytest.mark.parametrize("status", ["healthy", "unheard-of"])
    def test_other_statuses_alert_nobody(self, operator, status):
        status_event("p-1", status)
        record_follow_up(provider_id="p-2")

        page = section(operator)

        assert "p-2" in page
        assert "Needs attention" not in page

    @pytest.mark.parametrize("parameter", ["queueCursor", "timelineCursor"])
    def test_a_cursor_that_is_none_is_explained(self, operator, parameter):
        page = section(operator, **{parameter: "<b>rubbish", "providerId": "p-1"})

        assert f"{parameter}: Must be a time such as" in page


class TestTimeline:
    def test_it_holds_one_provider(self, operator):
        record_follow_up(provider_id="p-1", action="pause", notes="of one")
        record_follow_up(provider_id="p-2", action="pause", notes="of two")

        page = section(operator, providerId="p-1")
        timeline = page[page.index('id="timeline"') :]

        assert "of one" in timeline
        assert "of two" not in timeline

    def test_its_pages_meet_each_once(self, operator):
        for number in range(33):
            record_follow_up(provider_id="p-1", action="escalate", notes=f"note {number}")
            record_follow_up(provider_id="p-2", action="pause")
        seen, url = [], f"{REPORTS}?providerId=p-1"
        while url:
            context = operator.get(url).context["followups"]
            seen += [entry["notes"] for entry in context["timeline"]]
            url = context["timeline_older"]

        assert seen == [f"note {number}" for number in reversed(range(33))]

    @pytest.mark.habit(
        "The page sends attachments with a follow-up.",
        "They are kept, and shown in the timeline and in Slack.",
    )
    def test_attachments_are_shown_and_only_web_addresses_are_links(self, operator):
        files = [
            {"name": "<b>screen</b>.png", "url": "https://files.example/1?a=1&b", "size": 2048},
            {"fileName": "notes.pdf", "href": "javascript:alert(1)"},
        ]
        record_follow_up(provider_id="p-1", attachments=files)

        page = section(operator, providerId="p-1")

        link = '<a href="https://files.example/1?a=1&amp;b" rel="noopener noreferrer nofollow">'
        assert page.count(f"{link}&lt;b&gt;screen&lt;/b&gt;.png</a>") == 2, "in the queue and in the timeline"
        assert "notes.pdf" in page
        assert "javascript:" not in page

    def test_a_provider_without_follow_ups_is_told(self, operator):
        assert "There is no follow-up of this provider." in section(operator, providerId="nobody")

    @pytest.mark.parametrize("provider", ["x" * 10_000, "a\x00b"])
    def test_a_provider_id_that_none_can_be_is_explained(self, operator, provider):
        answer = operator.get(REPORTS, {"providerId": provider})

        assert answer.status_code == 200
        assert "providerId is a string of at most 200 characters." in answer.content.decode()

    def test_the_snippet_is_what_slack_was_told(self, operator, settings):
        settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = "https://hooks.example/x"
        record_follow_up(provider_id="p-1", action="pause", provider_name="One & Only", notes="see <this>")

        context = operator.get(REPORTS, {"providerId": "p-1"}).context["followups"]

        assert context["snippet"] == SlackMessage.objects.get().text
        assert "One &amp; Only" in context["snippet"]


class TestForm:
    def test_it_records_what_rest_records(self, operator):
        as_of = conversions.newest_settled()
        answer = operator.post(
            REPORTS,
            sent(
                action="escalate",
                provider_name="One",
                notes="called them",
                platform_id="instagram",
                platform_label="Instagram",
                platform_handle="@one",
                platform_type="IG",
            ),
        )

        assert (answer.status_code, answer.url) == (302, "/admin/reports?providerId=p-1#followups")
        row = GuardrailFollowUp.objects.values(*follow_up()).get()
        assert row == {
            "provider_id": "p-1",
            "provider_name": "One",
            "action": "escalate",
            "notes": "called them",
            "platform_context_id": "instagram",
            "platform_context_label": "Instagram",
            "platform_context_handle": "@one",
            "platform_context_type": "IG",
            "conversion_cursor": None,
            "conversion_href": f"http://127.0.0.1:8000/admin/reports?asOf={as_of}#experiment-analytics",
        }

    def test_what_is_left_empty_is_null(self, operator):
        operator.post(REPORTS, sent(provider_name="", notes="", platform_id=""))

        row = GuardrailFollowUp.objects.get()
        assert (row.provider_name, row.notes, row.platform_context_id) == (None, None, None)

    @pytest.mark.habit(
        "A follow-up linked to the conversions as they were when it was recorded.",
        "Its link carries asOf, and the page counts up to there.",
    )
    def test_a_pinned_slice_goes_along_with_its_counts(self, operator):
        record_segment("spring&co")
        as_of = conversions.newest_settled()
        operator.post(f"{REPORTS}?conversionCursor=spring%26co", sent())

        row = GuardrailFollowUp.objects.get()
        assert row.conversion_cursor == "spring&co"
        page = "http://127.0.0.1:8000/admin/reports"
        assert row.conversion_href == f"{page}?conversionCursor=spring%26co&asOf={as_of}#experiment-analytics"

    def test_a_view_that_is_pinned_to_a_time_goes_along_as_it_is(self, operator):
        record_segment()
        as_of = conversions.newest_settled()
        record_segment()

        operator.post(f"{REPORTS}?asOf={as_of}", sent())

        assert f"?asOf={as_of}#" in str(GuardrailFollowUp.objects.get().conversion_href)

    def test_the_pin_stays_after_recording(self, operator):
        answer = operator.post(f"{REPORTS}?conversionCursor=spring", sent())

        assert answer.url == "/admin/reports?conversionCursor=spring&providerId=p-1#followups"

    def test_it_leaves_an_entry_in_the_audit_log(self, operator):
        operator.post(REPORTS, sent(action="resume"))

        entry = AuditEntry.objects.get()
        assert (entry.username, entry.action, entry.subject) == ("operator", "record_followup", "p-1")
        assert entry.details == {"followUpId": str(GuardrailFollowUp.objects.get().pk), "action": "resume"}

    def test_sent_twice_it_records_once(self, operator):
        body = sent()
        operator.post(REPORTS, body)
        operator.post(REPORTS, body)

        assert GuardrailFollowUp.objects.count() == AuditEntry.objects.count() == 1

    def test_its_token_with_other_values_is_explained(self, operator):
        body = sent()
        operator.post(REPORTS, body)

        answer = operator.post(REPORTS, {**body, "notes": "more"})

        assert answer.status_code == 400
        assert "This form was sent before with other values." in answer.content.decode()
        assert f'name="token" value="{body["token"]}"' not in answer.content.decode()

    @pytest.mark.parametrize(
        ("changes", "problem"),
        [
            ({"action": "delete"}, "delete is not one of the available choices"),
            ({"action": ""}, "This field is required."),
            ({"provider_id": ""}, "This field is required."),
            ({"provider_id": "x" * 201}, "200 characters"),
            ({"provider_name": "x" * 10_000}, "500 characters"),
            ({"notes": "x" * 501}, "500 characters"),
            ({"platform_handle": "x" * 201}, "200 characters"),
            ({"notes": "a\x00b"}, "Null characters are not allowed."),
            ({"token": "rubbish"}, "The form has lost its token"),
        ],
    )
    def test_what_is_wrong_is_named_and_what_was_typed_is_kept(self, operator, changes, problem):
        answer = operator.post(REPORTS, sent(provider_name="Kept") | changes)

        page = part(answer, 'id="followups"', 'id="conversions"')
        assert answer.status_code == 400
        assert problem in page
        assert not GuardrailFollowUp.objects.exists()
        if "provider_name" not in changes:
            assert 'value="Kept"' in page

    def test_each_page_has_a_token_of_its_own(self, operator):
        assert token(operator) != token(operator)

    def test_it_is_filled_with_the_provider_on_show(self, operator):
        record_follow_up(provider_id="p-1", provider_name="One")

        assert 'name="provider_name" value="One"' in section(operator, providerId="p-1")

    def test_without_the_permission_it_is_absent_and_refused(self, staff_with):
        viewer = staff_with("reporting.view_exportrun")

        assert "Record a follow-up" not in section(viewer)
        assert viewer.post(REPORTS, sent()).status_code == 403
        assert not GuardrailFollowUp.objects.exists()

    def test_a_post_from_another_site_records_nothing(self, operator):
        from django.test import Client

        strict = Client(enforce_csrf_checks=True)
        strict.cookies = operator.cookies

        assert strict.post(REPORTS, sent()).status_code == 403

    def test_over_rest_an_operator_is_audited_and_a_key_is_not(self, operator, api):
        body = {"providerId": "p-1", "action": "pause"}
        api.post(FOLLOW_UPS, body, format="json")
        operator.post(FOLLOW_UPS, body, content_type="application/json")

        assert [entry.username for entry in AuditEntry.objects.all()] == ["operator"]


class TestInert:
    def test_markup_and_other_schemes_do_nothing(self, operator):
        record_follow_up(provider_id="p-1", notes="<script>alert(1)</script>", provider_name="<b>" + "x" * 400)
        GuardrailFollowUp.objects.update(conversion_href="javascript:alert(1)")

        page = section(operator)

        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert(1)" not in page
        assert "javascript:" not in page
        assert "x" * 100 not in page


class TestConversions:
    def conversions(self, client, **query) -> str:
        return part(client.get(REPORTS, query), 'id="conversions"', 'id="rows"')

    def test_an_empty_one_says_what_to_do(self, operator):
        assert "No order was assigned to a pricing experiment yet." in self.conversions(operator)

    def test_variants_have_their_share_of_the_orders(self, operator):
        for _ in range(3):
            record_segment("spring-offer", "bundle")
        record_segment("spring-offer", "control")

        page = self.conversions(operator)

        assert "75 %" in page
        assert "25 %" in page
        assert ">control</span>" in page

    def test_what_a_storefront_did_not_send_reads_unknown(self, operator):
        record_segment("spring-offer", "bundle", variant_name=None, is_control=None)

        assert "name unknown, cohort unknown" in self.conversions(operator)

    def test_a_cursor_pins_the_slice_behind_it(self, operator):
        for slug in ("alpha", "bravo", "charlie"):
            record_segment(slug)

        page = self.conversions(operator, conversionCursor="alpha", rows="onboarding_segments")

        assert "Showing experiments after “<strong>alpha</strong>”, with live counts." in page
        assert "bravo" in page
        assert '<a href="/admin/reports?rows=onboarding_segments#conversions">Back to live</a>' in page

    def test_next_pages_are_pinned_slices(self, operator):
        for number in range(12):
            record_segment(f"slug-{number:02}")

        page = self.conversions(operator)
        assert 'href="/admin/reports?conversionCursor=slug-09#conversions">Next experiments' in page
        assert "slug-11" in self.conversions(operator, conversionCursor="slug-09")

    @pytest.mark.parametrize("cursor", ["", "x" * 10_000, "a\x00b"])
    def test_a_cursor_that_no_slug_can_be_is_explained(self, operator, cursor):
        page = self.conversions(operator, conversionCursor=cursor)

        assert "conversionCursor must be an experiment of 1–255 characters." in page
        assert ">Live</span>" in page

    @pytest.mark.habit(
        "A link to a slice of an experiment that is gone showed an empty table.",
        "The page says that there is no such experiment, and shows all of them.",
    )
    def test_an_unknown_cursor_says_so_and_hides_nothing(self, operator):
        record_segment("alpha")

        page = self.conversions(operator, conversionCursor="bravo")

        assert "There is no experiment “bravo”, so the list starts with the first one." in page
        assert ">Live</span>" in page
        assert ">alpha</th>" in page

    def test_a_cursor_with_markup_is_inert(self, operator):
        page = self.conversions(operator, conversionCursor="<script>alert(1)</script>")

        assert "<script>alert" not in page
        assert "There is no experiment “&lt;script&gt;" in page

    def test_the_last_slice_says_that_there_is_no_more(self, operator):
        record_segment("alpha")

        assert "There are no more experiments in this view." in self.conversions(operator, conversionCursor="alpha")

    @pytest.mark.habit(
        "A link to conversions was a snapshot: the same numbers whenever it was opened.",
        "“Pin this slice” gives a link whose numbers stay; it says as of when they are.",
    )
    def test_a_pinned_slice_keeps_its_counts_and_says_of_when_they_are(self, operator):
        at = datetime(2026, 11, 24, 12, 21, tzinfo=UTC)
        PricingExperimentSegment.objects.filter(pk=record_segment("spring")).update(recorded_at=at)
        pin = pin_of(self.conversions(operator))
        for slug in ("autumn", "spring"):
            record_segment(slug)

        page = part(operator.get(pin), 'id="conversions"', 'id="rows"')

        assert ">24 Nov 12:21</time></strong> UTC: later assignments aren't counted." in page
        assert '>spring</th><td class="desk-number">1</td>' in page
        assert "autumn" not in page
        assert ">Pinned</span>" in page
        assert '<a href="/admin/reports?#conversions">Back to live</a>' in page

    def test_pages_of_a_pinned_view_stay_in_it(self, operator):
        for number in range(12):
            record_segment(f"slug-{number:02}")
        as_of = conversions.newest_settled()

        assert f"asOf={as_of}&amp;conversionCursor=slug-09" in self.conversions(operator, asOf=as_of)

    @pytest.mark.parametrize(
        ("as_of", "problem"),
        [
            ("", "asOf must be a position, an integer of at most 18 digits."),
            ("yesterday", "asOf must be a position, an integer of at most 18 digits."),
            ("-1", "asOf must be a position, an integer of at most 18 digits."),
            ("٣", "asOf must be a position, an integer of at most 18 digits."),
            ("9" * 19, "asOf must be a position, an integer of at most 18 digits."),
            ("9" * 18, "is newer than the newest assignment."),
        ],
    )
    def test_a_time_that_cannot_be_is_explained_and_live_counts_shown(self, operator, as_of, problem):
        record_segment("alpha")

        page = self.conversions(operator, asOf=as_of)

        assert problem in page
        assert "These are live counts." in page
        assert ">Live</span>" in page

    def test_a_time_before_the_first_assignment_is_explained(self, operator):
        record_segment("alpha")

        page = self.conversions(operator, asOf=0)

        assert "As of a time before the first assignment." in page
        assert "There are no experiments in this view." in page

    @pytest.mark.habit(
        "Each experiment has its daily assignments as a sparkline.", "Conversions have a column of the last 14 days."
    )
    def test_an_experiment_has_a_line_of_its_last_days(self, operator):
        for _ in range(3):
            record_segment("spring-offer", "bundle")

        page = self.conversions(operator)

        assert 'aria-label="3 assignments in 14 days, 3 on the busiest, 3 today"' in page
        assert 'points="4.0,22.0 12.0,22.0' in page
        assert '108.0,2.0"' in page

    def test_days_that_take_too_long_to_count_are_left_out(self, operator, monkeypatch):
        def fail(*args):
            raise QueryTimeoutError

        monkeypatch.setattr(conversions_page, "daily_counts", fail)
        record_segment("spring-offer", "bundle")

        page = self.conversions(operator)

        assert "spring-offer" in page
        assert "chart-trend" not in page

    def test_a_database_that_takes_too_long_does_not_hold_the_page(self, operator, monkeypatch):
        monkeypatch.setattr(conversions_page, "_TIMEOUT", timedelta(milliseconds=20))
        monkeypatch.setattr(conversions, "_LIVE", sql.SQL("SELECT pg_sleep(5)"))
        monkeypatch.setattr(conversions, "_AS_OF", sql.SQL("SELECT pg_sleep(5)"))

        assert "are being summed up for the first time" in self.conversions(operator)
        assert "Counting the conversions as of then takes the database longer" in self.conversions(operator, asOf=0)

    def test_a_database_that_is_away_is_not_taken_for_a_slow_one(self, rf, monkeypatch):
        def fail(*args):
            raise OperationalError("the server closed the connection unexpectedly")

        monkeypatch.setattr("reporting.insights.conversions.page", fail)

        with pytest.raises(OperationalError):
            conversions_page.section(rf.get(REPORTS))


class TestCost:
    def test_the_sections_take_the_same_few_statements_whatever_there_is(self, operator, rf):
        from reporting.pages import followups as followups_page

        request = rf.get(REPORTS, {"providerId": "p-1"})

        def count() -> int:
            with CaptureQueriesContext(connection) as queries:
                followups_page.section(request)
                conversions_page.section(request)
            return len([query for query in queries if "SAVEPOINT" not in query["sql"]])

        record_follow_up(provider_id="p-1")
        status_event("p-2", "breached")
        record_segment("slug")
        few = count()
        for number in range(30):
            record_follow_up(provider_id=f"p-{number}")
            status_event(f"p-{number + 20}", "warning")
            record_segment(f"slug-{number}")

        assert count() == few <= 16
