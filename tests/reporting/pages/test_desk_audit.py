"""The audit log: every action of an operator leaves an entry."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from reporting.checkpoints import rewinds
from reporting.checkpoints.content import CheckpointError
from reporting.models import AuditEntry, ExportRun, WebhookDestination
from tests.database import capture, export
from tests.factories import quick_order_event

LOG = "/admin/reporting/auditentry/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def run() -> ExportRun:
    """A run that made an object of two events."""
    capture([quick_order_event() for _ in range(2)])
    return export()


def entries() -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("username", "action", "subject"))


def test_a_started_and_a_retried_run_are_noted(operator, eager_tasks):
    operator.post("/admin/reports/feeds/quick_order/start")
    skipped = ExportRun.objects.get()
    operator.post(f"{skipped.get_absolute_url()}/retry")

    assert entries() == [("operator", "start_run", "quick_order"), ("operator", "retry_run", "quick_order")]
    assert AuditEntry.objects.order_by("-id")[0].details["instead_of"] == str(skipped.pk)


@pytest.mark.parametrize("url", ["{run}/download", "/api/reporting/quick-order-export"])
def test_a_download_is_noted(operator, run, url):
    operator.get(url.format(run=run.get_absolute_url())).getvalue()

    assert entries() == [("operator", "download_object", "quick_order")]
    assert AuditEntry.objects.get().details == {"run": str(run.pk)}


def test_a_download_that_is_refused_is_not_noted(staff_with, run):
    answer = staff_with("reporting.view_exportrun").get(f"{run.get_absolute_url()}/download")

    assert answer.status_code == 403
    assert entries() == []


def test_a_rewind_and_its_undoing_are_noted(operator, run):
    user = User.objects.get(username="operator")
    move = rewinds.rewind("quick_order", user, to_position=0)
    rewinds.undo(move, user)

    assert entries() == [
        ("operator", "rewind_checkpoint", "quick_order"),
        ("operator", "undo_rewind", "quick_order"),
    ]


def test_a_rewind_that_is_not_allowed_leaves_no_entry(operator, run):
    with pytest.raises(CheckpointError):
        rewinds.rewind("quick_order", User.objects.get(username="operator"), to_position=10**9)

    assert entries() == []


def test_enabling_a_destination_is_noted(operator):
    WebhookDestination.objects.create(name="ANALYTICS_SEGMENTS_WEBHOOK", disabled_at=timezone.now(), reason="410")

    operator.post(
        "/admin/reporting/webhookdestination/",
        {"action": "enable", "_selected_action": ["ANALYTICS_SEGMENTS_WEBHOOK"]},
    )

    assert entries() == [("operator", "enable_destination", "ANALYTICS_SEGMENTS_WEBHOOK")]


def test_an_entry_outlives_the_account(operator, run):
    operator.get(f"{run.get_absolute_url()}/download").getvalue()
    User.objects.get(username="operator").delete()

    assert entries() == [("operator", "download_object", "quick_order")]


class TestLog:
    def test_it_is_read_newest_first_and_found_by_operator(self, operator, run):
        operator.post("/admin/reports/feeds/quick_order/start")

        page = operator.get(LOG, {"q": "operator"}).content.decode()

        assert "Started a run" in page
        assert "Started a run" not in operator.get(LOG, {"q": "somebody"}).content.decode()

    def test_nobody_can_change_or_delete_it(self, operator, run):
        operator.post("/admin/reports/feeds/quick_order/start")
        entry = AuditEntry.objects.get()

        assert operator.post(f"{LOG}{entry.pk}/change/", {"username": "x"}).status_code == 403
        assert operator.post(f"{LOG}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
        assert operator.get(f"{LOG}add/").status_code == 403

    def test_it_needs_its_permission(self, staff_with):
        assert staff_with("reporting.view_exportrun", "reporting.export_data").get(LOG).status_code == 403
        assert staff_with("reporting.view_auditentry").get(LOG).status_code == 200
