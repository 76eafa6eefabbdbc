"""Links of the replaced system: their anchors and parameters, and what is said of parameters that no page knows."""

import pytest

from tests.database import record_follow_up, record_segment

REPORTS, ONBOARDING, RUNS = "/admin/reports", "/admin/onboarding", "/admin/reports/runs/"

pytestmark = pytest.mark.django_db


def text(answer) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


class TestAnchors:
    @pytest.mark.habit(
        "Links ended in #experiment-analytics and #experiment-export.",
        "The conversions and the CSV files have these anchors, on both pages.",
    )
    @pytest.mark.parametrize(
        ("path", "analytics", "export"),
        [(REPORTS, "conversions", "rows"), (ONBOARDING, "variants", "assignments")],
    )
    def test_they_stand_in_the_sections_that_they_mean(self, operator, path, analytics, export):
        page = text(operator.get(path))

        for section, anchor in ((analytics, "experiment-analytics"), (export, "experiment-export")):
            assert f'id="{section}" aria-labelledby="{section}-title"><span id="{anchor}"></span>' in page


class TestParameters:
    @pytest.mark.habit(
        "experimentSlug and experimentVariant chose an experiment on /admin/reports.",
        "Redirected to the filters of /admin/onboarding.",
    )
    @pytest.mark.parametrize("path", [REPORTS, f"{REPORTS}/", ONBOARDING])
    def test_those_of_an_experiment_lead_to_the_filters_of_the_onboarding_page(self, operator, path):
        key = record_segment("spring&co", "bundle")
        record_segment("autumn", "bundle")

        answer = operator.get(path, {"experimentSlug": "spring&co", "experimentVariant": "bundle"}, follow=True)

        assert answer.redirect_chain[-1] == (f"{ONBOARDING}?slug=spring%26co&variant=bundle", 302)
        assert [row["event_id"] for row in answer.context["shown"]] == [key]

    @pytest.mark.habit(
        "guardrailProvider, guardrailPlatform and guardrailSeverity filtered the follow-up queue.",
        "Redirected to providerId, platform and severity.",
    )
    def test_those_of_guardrails_get_the_names_of_today_and_the_rest_is_kept(self, operator):
        record_follow_up(provider_id="p-1", provider_name="One")
        old = {
            "rows": "quick_order",
            "guardrailProvider": "p-1",
            "guardrailPlatform": "tik tok",
            "guardrailSeverity": "critical",
        }

        answer = operator.get(REPORTS, old)

        assert answer.status_code == 302
        assert answer.url == f"{REPORTS}?rows=quick_order&providerId=p-1&platform=tik+tok&severity=critical"
        assert 'id="timeline"' in text(operator.get(answer.url))

    def test_a_name_of_today_counts_more_than_an_old_one(self, operator):
        answer = operator.get(REPORTS, {"guardrailProvider": "old", "providerId": "new"})

        assert answer.url == f"{REPORTS}?providerId=new"

    def test_a_form_that_is_sent_is_not_redirected(self, operator):
        assert operator.post(f"{REPORTS}?experimentSlug=a", {}).status_code == 400


class TestUnknown:
    @pytest.mark.parametrize(
        ("path", "filters"),
        [
            (REPORTS, "providerId, provider, platform, severity, conversionCursor, asOf"),
            (ONBOARDING, "slug, variant, status, strategy, order, since, until"),
            (RUNS, "feed, state, trigger, user, since, until"),
        ],
    )
    def test_a_filter_that_a_page_does_not_know_is_said(self, operator, path, filters):
        page = text(operator.get(path, {"foo": "1"}))

        assert f"Unknown filter “foo” was ignored; this page filters by {filters}." in page

    def test_several_are_one_sentence_which_stays_short_and_inert(self, operator):
        page = text(operator.get(ONBOARDING, dict.fromkeys(["<b>", "x" * 500, "c", "d", "e", "f", "g"], "1")))

        assert f"Unknown filters “&lt;b&gt;”, “{'x' * 40}”, “c”, “d”, “e” and 2 more were ignored;" in page

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            (REPORTS, {"rows": "quick_order", "batch": "100", "before": "7", "conversionCursor": "a", "asOf": "0"}),
            (ONBOARDING, {"slug": "a", "batch": "100", "before": "2026-01-22T04:00:00Z"}),
            (RUNS, {"state": "failed"}),
            (RUNS, {"utm_source": "mail", "gclid": "1"}),
        ],
    )
    def test_what_a_page_knows_and_what_mail_programs_add_is_not_remarked(self, operator, path, query):
        assert "Unknown filter" not in text(operator.get(path, query))
