"""Checkpoints in the admin: who may see and move them, and what the pages say."""

import re
import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

# The admin's URLs are made from what is registered when they are first asked for.
import reporting.admin.checkpoints  # noqa: F401
from reporting.checkpoints import rewinds
from reporting.exports import claims, runs
from reporting.feeds import FEEDS
from reporting.models import Checkpoint, CheckpointMove, ExportRun
from telemetry.models import QuickOrderEvent
from tests.database import capture, export
from tests.factories import quick_order_event

LIST = "/admin/reporting/checkpoint/"
PAGE = f"{LIST}quick_5Forder/change/"
REWIND, UNDO = f"{LIST}quick_order/rewind/", f"{LIST}quick_order/undo/"
MOVES = "/admin/reporting/checkpointmove/"
TIME = "2026-01-08T08:00:01.000001Z"


@pytest.fixture
def exported(db) -> list[int]:
    """The positions of three quick orders, a second apart, that were exported."""
    capture([quick_order_event(recordedAt=f"2026-01-08T08:00:0{second}.000001Z") for second in range(3)])
    export()
    return list(QuickOrderEvent.objects.order_by("position").values_list("position", flat=True))


def newest() -> CheckpointMove:
    move = CheckpointMove.objects.of("quick_order").first()
    assert move is not None
    return move


def said(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def page(client: Client, path: str, **query) -> str:
    answer = client.get(path, query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.django_db
class TestHistory:
    def test_the_list_leads_to_a_checkpoint(self, operator, exported):
        text = page(operator, LIST)

        assert PAGE in text
        assert "2026-01-08T08:00:02.000001Z" in text

    def test_a_page_shows_place_time_moves_and_runs(self, operator, exported):
        text = page(operator, PAGE)

        assert f"<dd>{exported[-1]}</dd>" in text
        assert "2026-01-08T08:00:02.000001Z" in text
        assert "no checkpoint" in text
        assert ExportRun.objects.get().get_absolute_url() in text
        assert "Export" in text

    def test_it_shows_who_moved_and_what_was_undone(self, operator, exported):
        olive = User.objects.create_user("olive<b>")
        back = rewinds.rewind("quick_order", olive, to_position=0)
        forth = rewinds.undo(back, olive)

        text = page(operator, PAGE)

        assert "olive&lt;b&gt;" in text
        assert f"undone by move {forth.pk}" in text
        assert f"of move {back.pk}" in text
        assert f"Undo move {forth.pk}: back to position 0" in text

    def test_a_checkpoint_that_moved_before_moves_were_kept_has_a_page(self, operator):
        Checkpoint.objects.create(feed="quick_order", position=0, cursor=timezone.now(), rows=1)

        assert "No moves are known" in page(operator, PAGE)

    def test_an_unknown_checkpoint_is_a_404(self, operator):
        for path in (PAGE, f"{LIST}nothing/change/", REWIND):
            assert operator.get(path).status_code == 404

    def test_the_list_of_moves_can_be_read_and_not_changed(self, operator, exported):
        assert "quick_order" in page(operator, MOVES, feed="quick_order")
        assert operator.get(f"{MOVES}add/").status_code == 403
        assert operator.post(f"{MOVES}{newest().pk}/delete/", {"post": "yes"}).status_code == 403
        assert operator.get(f"{LIST}add/").status_code == 403
        assert operator.post(f"{LIST}quick_5Forder/delete/", {"post": "yes"}).status_code == 403

    def test_it_takes_the_same_statements_however_many_moves_there_are(
        self, operator, exported, django_assert_max_num_queries
    ):
        user = User.objects.create_user("olive")
        for _ in range(10):
            rewinds.undo(newest(), user)

        with django_assert_max_num_queries(12):
            operator.get(PAGE)


@pytest.mark.django_db
class TestPlan:
    def test_the_form_asks_first(self, operator, exported):
        text = page(operator, REWIND)

        assert f"stands at position {exported[-1]}" in text
        assert "What the rewind would do" not in text

    @pytest.mark.parametrize("target", [{"to_time": TIME}, {"to_position": 0}])
    def test_it_says_what_a_rewind_would_do_and_does_nothing(self, operator, exported, target):
        if "to_position" in target:
            target = {"to_position": exported[0]}

        text = re.sub(r"\s+", " ", page(operator, REWIND, **target))

        assert f"position {exported[0]}" in text
        assert "<dt>Rows sent again</dt><dd>2 <" in text
        assert 'method="post"' in text
        assert len(CheckpointMove.objects.all()) == 1

    def test_many_rows_are_not_counted_to_the_end(self, operator, exported, monkeypatch):
        monkeypatch.setattr(rewinds, "MAX_COUNTED", 1)

        assert "more than 1" in page(operator, REWIND, to_position=exported[0])

    @pytest.mark.parametrize(
        ("target", "problem"),
        [
            ({"to_time": "yesterday"}, "found &#x27;yesterday&#x27;, allowed is an ISO 8601 time"),
            ({"to_time": "2026-01-08T08:00:00"}, "allowed is an ISO 8601 time with its offset"),
            ({"to_time": "2199-01-01T00:00:00Z"}, "into the future"),
            ({"to_time": "2026-01-09T00:00:00Z"}, "nothing to export again"),
            ({"to_time": "<script>alert(1)</script>"}, "&lt;script&gt;alert(1)"),
            ({"to_time": "a\x00b"}, "Null characters are not allowed"),
            ({"to_position": "-1"}, "greater than or equal to 0"),
            ({"to_position": "9" * 30}, "less than or equal to"),
            ({"to_position": "one"}, "Enter a whole number"),
            ({"to_position": "999999999"}, "allowed is one from 0 to"),
            ({"to_position": "0", "to_time": TIME}, "give one of them"),
            ({"to_position": "", "to_time": ""}, "give one of them"),
        ],
    )
    def test_a_target_that_is_not_allowed_is_explained(self, operator, exported, target, problem):
        text = page(operator, REWIND, **target)

        assert problem in text
        assert "<script>alert(1)" not in text
        assert "What the rewind would do" not in text
        answer = operator.post(REWIND, target)
        assert (answer.status_code, CheckpointMove.objects.count()) == (200, 1)


@pytest.mark.django_db
class TestMoves:
    def test_a_rewind_and_its_undoing_tell_what_they_did(self, operator, exported):
        answer = operator.post(REWIND, {"to_time": TIME}, follow=True)

        assert answer.redirect_chain == [(PAGE, 302)]
        assert said(answer) == [f"The checkpoint moved to position {exported[0]}. The next export goes on after it."]
        assert (newest().reason, str(newest().user)) == ("rewind", "operator")
        assert Checkpoint.objects.get().position == exported[0]

        answer = operator.post(UNDO, {"move": newest().pk}, follow=True)

        assert said(answer) == [f"The checkpoint moved to position {exported[-1]}. The next export goes on after it."]
        assert (newest().reason, str(newest().user)) == ("undo", "operator")

    def test_a_move_that_is_no_longer_the_newest_is_not_undone(self, operator, exported):
        first = newest()
        rewinds.rewind("quick_order", None, to_position=0)

        answer = operator.post(UNDO, {"move": first.pk}, follow=True)

        assert said(answer)[0].startswith("Nothing was moved: only the newest move of quick_order can be undone")
        assert CheckpointMove.objects.count() == 2

    @pytest.mark.parametrize("move", ["", "x", "-1", "²", "999999999", "9" * 30])
    def test_a_move_that_is_not_there_is_a_404(self, operator, exported, move):
        assert operator.post(UNDO, {"move": move}).status_code == 404

    def test_a_move_of_another_feed_is_a_404(self, operator, exported):
        Checkpoint.objects.create(feed="guardrail_workflow", position=0, cursor=timezone.now(), rows=1)

        assert operator.post(f"{LIST}guardrail_workflow/undo/", {"move": newest().pk}).status_code == 404

    @pytest.mark.django_db(transaction=True)
    def test_while_a_run_is_in_progress_nothing_moves(self, operator, exported):
        answers = []

        def ask() -> None:
            answers.append(operator.post(REWIND, {"to_position": 0}, follow=True))
            answers.append(operator.post(UNDO, {"move": newest().pk}, follow=True))
            connection.close()

        with claims.claimed(runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.COMMAND)):
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()

        assert ["another run of quick_order is in progress" in said(answer)[0] for answer in answers] == [True, True]
        assert CheckpointMove.objects.count() == 1


@pytest.mark.django_db
class TestPermissions:
    def test_a_viewer_sees_the_history_and_no_buttons(self, staff_with, exported):
        viewer = staff_with("reporting.view_checkpoint")

        text = page(viewer, PAGE)

        assert "Newest moves" in text
        assert "Rewind" not in text
        assert "Undo move" not in text

    def test_a_viewer_moves_nothing(self, staff_with, exported):
        viewer = staff_with("reporting.view_checkpoint", "reporting.change_checkpoint")

        assert viewer.get(REWIND).status_code == 403
        assert viewer.post(REWIND, {"to_position": 0}).status_code == 403
        assert viewer.post(UNDO, {"move": newest().pk}).status_code == 403
        assert CheckpointMove.objects.count() == 1

    def test_who_may_rewind_sees_and_does_it(self, staff_with, exported):
        operator = staff_with("reporting.rewind_checkpoint")

        assert "Rewind…" in page(operator, PAGE)
        assert operator.post(REWIND, {"to_position": 0}).status_code == 302
        assert operator.post(UNDO, {"move": newest().pk}).status_code == 302

    def test_others_see_nothing(self, staff_with, exported):
        other = staff_with("reporting.view_exportrun")

        assert [other.get(path).status_code for path in (LIST, PAGE, REWIND, MOVES)] == [403] * 4

    def test_strangers_are_sent_to_the_sign_in(self, client, exported):
        for path in (PAGE, REWIND, UNDO):
            assert "/admin/login/" in client.get(path)["Location"]

    def test_an_undo_is_a_post(self, operator, exported):
        assert operator.get(UNDO).status_code == 405

    def test_without_a_token_nothing_is_moved(self, operator, exported):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(User.objects.get(username="operator"))

        assert strict.post(REWIND, {"to_position": 0}).status_code == 403
        assert strict.post(UNDO, {"move": newest().pk}).status_code == 403
        assert CheckpointMove.objects.count() == 1
