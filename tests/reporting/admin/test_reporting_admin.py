"""Reporting in Django's admin: read-only, and searched by index."""

import re
import uuid

import pytest
from django.contrib import admin
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from reporting.admin.evidence import CappedPaginator, IndexedEvidenceAdmin
from reporting.models import (
    AuditEntry,
    ExportRun,
    GuardrailFollowUp,
    OnboardingJourney,
    OnboardingJourneyEvent,
    PricingExperimentSegment,
    ProviderGuardrailStatus,
)
from tests.database import record_follow_up, record_segment

MODELS = [
    ExportRun,
    GuardrailFollowUp,
    OnboardingJourney,
    OnboardingJourneyEvent,
    PricingExperimentSegment,
    ProviderGuardrailStatus,
]
NAMED = [ProviderGuardrailStatus, AuditEntry]
ORDER = uuid.UUID("7f0d7bb0-7b1c-4b52-9b0a-9f9a57f3c001")


@pytest.fixture
def rows(db):
    """One row of every model, and others beside it that a search must not find."""
    for order_id, slug in ((ORDER, "spring-offer"), (uuid.uuid4(), "autumn-offer")):
        record_segment(slug, order_id=order_id)
    for provider in ("provider-viralhub", "provider-other"):
        record_follow_up(provider_id=provider)
    for feed in ("quick_order", "guardrail_workflow"):
        ExportRun.objects.create(feed=feed, trigger="command")


def url(model, page, *args):
    return reverse(f"admin:reporting_{model._meta.model_name}_{page}", args=args)


def found(operator, model, term):
    answer = operator.get(url(model, "changelist"), {"q": term})
    assert answer.status_code == 200
    return [row.pk for row in answer.context["cl"].result_list]


@pytest.mark.parametrize("model", MODELS)
class TestEvidence:
    def test_lists_and_rows_are_shown(self, operator, rows, model):
        row = model._default_manager.first()

        assert operator.get(url(model, "changelist")).status_code == 200
        assert operator.get(url(model, "change", row.pk)).status_code == 200

    def test_nobody_adds_changes_or_deletes(self, operator, rows, model):
        row = model._default_manager.first()

        assert operator.get(url(model, "add")).status_code == 403
        assert operator.post(url(model, "change", row.pk), {}).status_code == 403
        assert operator.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert model._default_manager.filter(pk=row.pk).exists()

    def test_staff_need_the_permission_to_view(self, staff_with, rows, model):
        assert staff_with().get(url(model, "changelist")).status_code == 403
        permission = f"reporting.view_{model._meta.model_name}"
        assert staff_with(permission).get(url(model, "changelist")).status_code == 200

    def test_a_row_is_found_by_its_key(self, operator, rows, model):
        keys = [row.pk for row in model._default_manager.all()]

        assert len(keys) == 2
        assert [found(operator, model, f" {key} ") for key in keys] == [[key] for key in keys]

    @pytest.mark.parametrize("term", ["nothing", "%", "0f3b6a52-6f5e-4a4b-9d57-1c2f6b0a7e94", "spring", "provider"])
    def test_what_is_no_exact_value_finds_nothing(self, operator, rows, model, term):
        assert found(operator, model, term) == []

    def test_a_nul_character_is_no_error(self, operator, rows, model):
        assert operator.get(url(model, "changelist"), {"q": "a\x00b"}).status_code == 200

    def test_no_statement_counts_a_whole_table(self, operator, rows, model):
        with CaptureQueriesContext(connection) as queries:
            operator.get(url(model, "changelist"))

        asked = [query["sql"] for query in queries if f'"{model._meta.db_table}"' in query["sql"]]
        counts = [sql for sql in asked if "COUNT(" in sql]
        assert counts
        assert all("LIMIT 10000" in sql for sql in counts)

    def test_the_list_comes_in_the_order_of_an_index(self, operator, rows, model):
        with connection.cursor() as cursor:
            # Tables as small as these are scanned and sorted whatever their indexes, unless that is ruled out.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        answer = operator.get(url(model, "changelist"))

        plan = answer.context["cl"].queryset[:50].explain()

        assert "Index Scan" in plan
        assert "Seq Scan" not in plan
        assert "->  Sort" not in plan


class TestSearch:
    def test_journeys_events_and_segments_are_found_by_their_order(self, operator, rows):
        journey = OnboardingJourney.objects.get(order_id=ORDER)
        event = OnboardingJourneyEvent.objects.get(order_id=ORDER)

        assert found(operator, OnboardingJourney, str(ORDER)) == [journey.pk]
        assert found(operator, OnboardingJourneyEvent, str(ORDER)) == [event.pk]
        assert found(operator, OnboardingJourneyEvent, str(journey.pk)) == [event.pk]
        assert found(operator, PricingExperimentSegment, str(ORDER)) == [event.pk]

    def test_segments_are_found_by_their_slug(self, operator, rows):
        segment = PricingExperimentSegment.objects.get(slug="spring-offer")

        assert found(operator, PricingExperimentSegment, "spring-offer") == [segment.pk]

    def test_follow_ups_are_found_by_their_provider(self, operator, rows):
        follow_up = GuardrailFollowUp.objects.get(provider_id="provider-viralhub")

        assert found(operator, GuardrailFollowUp, "provider-viralhub") == [follow_up.pk]

    def test_runs_are_found_by_their_feed(self, operator, rows):
        run = ExportRun.objects.get(feed="quick_order")

        assert found(operator, ExportRun, "quick_order") == [run.pk]

    @pytest.mark.parametrize("model", MODELS)
    def test_every_lookup_has_an_index(self, db, model):
        model_admin = admin.site.get_model_admin(model)
        assert isinstance(model_admin, IndexedEvidenceAdmin)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")

        terms = dict.fromkeys(model_admin.uuid_lookups, str(ORDER)) | dict.fromkeys(model_admin.string_lookups, "a")
        plans = {
            lookup: model._default_manager.order_by().filter(**{lookup: term}).explain()
            for lookup, term in terms.items()
        }

        assert plans
        assert [lookup for lookup, plan in plans.items() if "Index Cond" not in plan] == []


@pytest.mark.django_db
def test_rows_are_counted_up_to_ten_thousand():
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reporting_onboardingjourney (id, order_id, created_at)"
            " SELECT gen_random_uuid(), gen_random_uuid(), now() FROM generate_series(1, 10001)"
        )

    assert CappedPaginator(OnboardingJourney.objects.order_by("created_at"), 50).count == 10_000


class TestWords:
    def test_lists_name_their_rows_in_the_plural(self, operator):
        for number in range(2):
            record_follow_up(provider_id=f"p-{number}")
            AuditEntry.objects.create(username="u", action=AuditEntry.Action.START_RUN, subject="quick_order")

        said = [" ".join(operator.get(url(model, "changelist")).content.decode().split()) for model in NAMED]

        assert "2 provider guardrail statuses" in said[0]
        assert "2 audit entries" in said[1]

    def test_yes_and_no_are_words_in_lists_and_on_pages(self, operator):
        key = record_segment(is_control=False)
        record_segment("spring-offer", "control")

        listed = operator.get(url(PricingExperimentSegment, "changelist")).content.decode()
        shown = operator.get(url(PricingExperimentSegment, "change", key)).content.decode()

        assert re.findall(r"field-is_control[^>]*>\s*(\w+)", listed) == ["yes", "no"]
        assert "close_small" not in listed + shown

    def test_a_value_that_is_not_known_is_said_to_be_unknown(self):
        assert render_to_string("unfold/helpers/boolean.html", {"value": None}).strip() == "unknown"
