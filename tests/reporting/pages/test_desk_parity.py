"""The warehouse's section of the reports page."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reporting.models import AuditEntry, ParityCheck, RepairRequest
from reporting.pages import parity as page
from reporting.tasks import check_parity, repair_warehouse
from tests.database import capture, export
from tests.factories import quick_order_event
from tests.reporting.warehouse.builders import opened

REPORTS = "/admin/reports"
REPAIR = "/admin/reports/feeds/quick_order/repair"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def warehouse(tmp_path, settings):
    """A warehouse that the settings name."""
    path = tmp_path / "w.duckdb"
    settings.WAREHOUSE_URL = f"duckdb://{path}"
    return path


def section(client):
    """The HTML of the section."""
    content = client.get(REPORTS).content.decode()
    return content[content.index('<section class="desk-section" id="warehouse"') :].split("</section>")[0]


def exported(count: int) -> None:
    capture([quick_order_event(recordedAt=timezone.now().isoformat()) for _ in range(count)])
    export()


def loaded() -> None:
    call_command("load_warehouse", stderr=StringIO())


class TestEmpty:
    def test_without_a_warehouse_it_names_the_setting(self, operator):
        assert "No warehouse is set. <code>WAREHOUSE_URL</code> names it" in section(operator)

    def test_before_the_first_check_it_says_when_there_will_be_one(self, operator, warehouse):
        assert "Not checked yet." in section(operator)

    def test_a_check_that_failed_says_why(self, operator, warehouse):
        warehouse.write_text("not a database" * 1_000)
        check_parity()

        assert "The last check failed" in section(operator)
        assert "cannot open" in section(operator)


class TestEqual:
    def test_a_check_by_hand_of_all_feeds_shows_here(self, operator, warehouse):
        exported(1)
        loaded()
        call_command("check_parity", "--feed", "quick_order", stdout=StringIO(), stderr=StringIO())
        assert "Not checked yet." in section(operator)

        call_command("check_parity", stdout=StringIO(), stderr=StringIO())

        assert "exported 1 = loaded 1 + refused 0 + in flight 0" in section(operator)

    def test_it_shows_the_figures_and_the_equations(self, operator, warehouse):
        exported(3)
        loaded()
        check_parity()

        html = section(operator)

        assert "received 3 = accepted 3 + duplicate 0 + ignored 0 + rejected 0" in html
        assert "accepted 3 = exported 3 + pending 0 + expired 0" in html
        assert "exported 3 = loaded 3 + refused 0 + in flight 0" in html
        assert "desk-badge-bad" not in html
        assert "Repair" not in html

    def test_it_says_how_many_came_without_an_id(self, operator, warehouse):
        capture([quick_order_event(id=None)])
        check_parity()

        assert "received 1 = accepted 1 + duplicate 0 + ignored 0 + rejected 0; 1 accepted without an id" in section(
            operator
        )

    def test_what_was_found_stays_when_the_next_check_fails(self, operator, warehouse, settings):
        exported(3)
        loaded()
        check_parity()
        settings.WAREHOUSE_URL = f"duckdb://{__file__}/w.duckdb"
        check_parity()

        html = section(operator)

        assert "The last check failed" in html
        assert "exported 3 = loaded 3" in html


class TestDifferent:
    def test_a_lost_counter_of_capture_is_red(self, operator, warehouse):
        exported(3)
        loaded()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM telemetry_intaketally")

        check_parity()

        assert '<span class="desk-badge desk-badge-bad">-3 unaccounted for</span>' in section(operator)

    def test_missing_rows_are_named_and_the_button_brings_them_back(self, operator, warehouse, eager_tasks):
        exported(3)
        loaded()
        with opened(warehouse) as session:
            gone, *_ = session.execute("DELETE FROM analytics.quick_order_events RETURNING event_id").fetchone()
        check_parity()
        assert str(gone) in section(operator)

        answer = operator.post(REPAIR)

        assert (answer.status_code, answer["Location"]) == (302, f"{REPORTS}#warehouse")
        assert "desk-badge-bad" not in section(operator)
        assert AuditEntry.objects.get().action == AuditEntry.Action.REPAIR_WAREHOUSE

    def test_what_the_warehouse_says_is_escaped(self, operator, warehouse):
        check_parity()
        check = ParityCheck.objects.get()
        check.figures["feeds"]["quick_order"]["refused_rows"] = [{"reason": "<script>alert(1)</script>", "count": 2}]
        check.figures["feeds"]["quick_order"]["quarantined"] = [{"object": "file:///a", "reason": "<b>torn</b>"}]
        check.save()

        html = section(operator)

        assert "2: &lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "&lt;b&gt;torn&lt;/b&gt;" in html


class TestPermissions:
    def test_the_button_needs_the_permission_to_start(self, staff_with, warehouse):
        exported(1)
        check_parity()
        viewer = staff_with("reporting.view_exportrun")

        assert viewer.post(REPAIR).status_code == 403
        assert not AuditEntry.objects.exists()

    def test_there_is_nothing_to_repair_without_a_warehouse(self, operator):
        assert operator.post(REPAIR).status_code == 404

    def test_an_unknown_feed_is_not_found(self, operator, warehouse):
        assert operator.post("/admin/reports/feeds/nope/repair").status_code == 404

    def test_it_takes_posts_alone(self, operator, warehouse):
        assert operator.get(REPAIR).status_code == 405

    def test_a_broker_that_is_away_is_told(self, operator, warehouse, monkeypatch):
        def refuse(*args: object, **options: object) -> None:
            raise OSError("no broker")

        monkeypatch.setattr(repair_warehouse, "apply_async", refuse)

        answer = operator.post(REPAIR, follow=True)

        assert "the repair waits for the broker" in answer.content.decode()
        assert RepairRequest.objects.get().feed == "quick_order"

    def test_the_next_tick_picks_up_what_the_broker_did_not_take(self, operator, warehouse, eager_tasks, monkeypatch):
        exported(3)
        loaded()
        with opened(warehouse) as target:
            target.execute("DELETE FROM analytics.quick_order_events")
        check_parity()
        with monkeypatch.context() as patch:
            patch.setattr("reporting.pages.parity.queue_task", lambda *_: False)
            operator.post(REPAIR)

        repair_warehouse()

        assert ParityCheck.objects.order_by("-at")[0].state == "equal"
        assert not RepairRequest.objects.exists()


def test_the_section_costs_the_same_statements_whatever_there_is(rf, warehouse):
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            page.section(rf.get(REPORTS))
        return len(queries)

    few = count()
    exported(20)
    loaded()
    check_parity()
    check_parity()

    assert few == count() == 1
