"""Statuses by URL, and those that this installation wrote."""

import json
import threading
import time

import pytest

from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.insights import published
from reporting.models import ExportRun
from tests.database import capture
from tests.factories import quick_order_event, workflow_event
from tests.fakes import Reply, closed_port_url, fake_server

REPORTS = "/admin/reports"
METRICS = {"startCount": 20, "abortCount": 10, "completeCount": 10, "completionRate": 50}
QUICK_ORDER = {
    "syncedAt": "2026-11-08T12:00:00.000000Z",
    "events": 40,
    "downloadUrl": "https://lake.example/object",
    "workflowUrl": "https://ci.example/run/7",
    "metrics": METRICS,
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(settings):
    """A server that gives the status of the quick orders."""
    with fake_server() as server:
        server.usual = Reply(body=json.dumps(QUICK_ORDER).encode())
        settings.STATUS_URLS = {**settings.STATUS_URLS, "quick_order": f"{server.url}/status.json?token=secret"}
        yield server


def quick_order():
    return published.statuses()["quick_order"]


def without(path: str):
    status = json.loads(json.dumps(QUICK_ORDER))
    *parents, name = path.split(".")
    target = status
    for parent in parents:
        target = target[parent]
    del target[name]
    return status


def changed(path: str, value):
    status = json.loads(json.dumps(QUICK_ORDER))
    *parents, name = path.split(".")
    target = status
    for parent in parents:
        target = target[parent]
    target[name] = value
    return status


class TestOwn:
    def test_there_is_none_before_the_first_export(self):
        assert {feed: item.status for feed, item in published.statuses().items()} == dict.fromkeys(
            ("quick_order", "guardrail_workflow", "guardrail_followups")
        )

    def test_it_is_what_the_newest_run_wrote(self):
        capture([quick_order_event() for _ in range(3)])
        run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.COMMAND)
        runs.perform(run)

        own = quick_order()

        assert own.run == run
        assert own.status["events"] == 3
        assert own.problem == ""

    def test_all_are_read_by_one_query(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            published.statuses()


class TestByUrl:
    def test_it_takes_the_place_of_the_own_one(self, server):
        found = quick_order()

        assert (found.run, found.status["events"], found.status["metrics"]["startCount"]) == (None, 40, 20)
        assert found.workflow_url == "https://ci.example/run/7"

    def test_it_is_kept_for_a_while(self, server):
        quick_order()
        quick_order()

        assert len(server.heard) == 1

    @pytest.mark.parametrize(
        ("reply", "problem"),
        [
            (Reply(500, b"out of order"), "answered 500"),
            (Reply(302, b"", {"Location": "https://elsewhere.example/"}), "answered 302"),
            (Reply(200, b"<html>"), "the answer is not JSON"),
            (Reply(200, b"[1]"), "the answer is not a JSON object"),
            (Reply(200, b""), "the answer is not JSON"),
            (Reply(200, b" " * 2_000_000), "the answer is larger than 1 MiB"),
            (Reply(200, b'{"events": NaN}'), "the answer"),
        ],
        ids=["error", "redirect", "html", "array", "empty", "huge", "nan"],
    )
    def test_an_answer_that_is_no_status_is_explained(self, server, reply, problem):
        server.usual = reply

        found = quick_order()

        assert found.status is None
        assert found.problem.startswith(f"QUICK_ORDER_EXPORT_STATUS_URL: {problem}")
        assert "secret" not in found.problem

    @pytest.mark.parametrize(
        ("status", "problem"),
        [
            (without("syncedAt"), "syncedAt: This field is required."),
            (without("metrics"), "metrics: This field is required."),
            (without("metrics.abortCount"), "metrics.abortCount: This field is required."),
            (changed("events", -1), "events: Ensure this value is greater than or equal to 0."),
            (changed("events", "many"), "events: A valid integer is required."),
            (changed("syncedAt", "noon"), "syncedAt: Datetime has wrong format."),
            (changed("metrics", []), "metrics: Invalid data."),
            (changed("metrics.completionRate", "half"), "metrics.completionRate: A valid number is required."),
        ],
        ids=lambda value: value[:20] if isinstance(value, str) else "",
    )
    def test_a_wrong_type_is_named_with_its_path(self, server, status, problem):
        server.usual = Reply(body=json.dumps(status).encode())

        assert problem in quick_order().problem

    def test_a_rate_of_null_is_a_status_without_starts(self, server):
        server.usual = Reply(body=json.dumps(changed("metrics.completionRate", None)).encode())

        assert quick_order().status["metrics"]["completionRate"] is None

    @pytest.mark.parametrize("path", [*QUICK_ORDER, *(f"metrics.{name}" for name in METRICS)])
    def test_null_may_stand_anywhere(self, server, path):
        server.usual = Reply(body=json.dumps(changed(path, None)).encode())

        found = quick_order()

        assert (found.problem, found.status is None) == ("", False)
        assert "None" not in found.download_url + found.workflow_url

    def test_a_link_that_is_no_web_address_is_not_offered(self, server):
        server.usual = Reply(body=json.dumps(changed("downloadUrl", "javascript:alert(1)")).encode())

        assert (quick_order().problem, quick_order().download_url) == ("", "")

    def test_nobody_there_is_explained(self, settings):
        settings.STATUS_URLS = {**settings.STATUS_URLS, "quick_order": f"{closed_port_url()}/?token=secret"}

        assert quick_order().problem == "QUICK_ORDER_EXPORT_STATUS_URL: could not be reached (ConnectError)."


class TestTime:
    def test_slow_ones_cost_one_timeout_together(self, settings, monkeypatch):
        monkeypatch.setattr(published, "TIMEOUT_SECONDS", 1)
        with fake_server() as server:
            server.gate.clear()
            settings.STATUS_URLS = dict.fromkeys(settings.STATUS_URLS, server.url)
            start = time.monotonic()

            found = published.statuses()

            assert time.monotonic() - start < 2.5
            assert [bool(item.problem) for item in found.values()] == [True] * 3
            server.gate.set()

    def test_one_that_answers_drop_by_drop_is_given_up_and_not_asked_twice(self, settings, monkeypatch):
        from django.core.cache import caches

        monkeypatch.setattr(published, "TIMEOUT_SECONDS", 0.2)
        gate, asked = threading.Event(), []

        def drip(url, timeout, headers=None):
            asked.append(url)
            gate.wait(10)
            return QUICK_ORDER

        monkeypatch.setattr(published, "fetch_json", drip)
        settings.STATUS_URLS = {**settings.STATUS_URLS, "quick_order": "http://slow.example/"}

        first = quick_order()
        caches["process"].clear()
        second = quick_order()
        gate.set()

        assert first.problem == second.problem == "QUICK_ORDER_EXPORT_STATUS_URL: no answer within 0 s."
        assert len(asked) == 1


class TestOnThePage:
    @pytest.mark.habit(
        "Statuses of the replaced jobs may hold null anywhere, downloadUrl included.",
        "What is null reads as unknown on the pages, and is never taken for no drift.",
    )
    @pytest.mark.parametrize(
        "path", ["syncedAt", "events", "downloadUrl", "metrics", "metrics.startCount", "metrics.completionRate"]
    )
    def test_what_is_null_is_unknown_and_never_green(self, operator, server, path):
        server.usual = Reply(body=json.dumps(changed(path, None)).encode())
        capture([quick_order_event()])

        answer = operator.get(REPORTS)

        page = answer.content.decode()
        funnel = page[page.index('id="funnel"') : page.index('id="workflow"')]
        assert answer.status_code == 200
        assert ">No drift<" not in funnel
        assert "None" not in funnel
        if path not in {"downloadUrl", "metrics.completionRate"}:
            assert "unknown" in funnel
            assert "Drift can't be computed. The export&#x27;s status has null for" in funnel

    @pytest.mark.parametrize(
        ("feed", "status"),
        [
            ("guardrail_workflow", {**dict.fromkeys(QUICK_ORDER), "metrics": None}),
            (
                "guardrail_workflow",
                {
                    **dict.fromkeys(QUICK_ORDER),
                    "metrics": {"actionCounts": [None], "attachmentTotals": {"upload": None}, "providerActivity": None},
                },
            ),
            ("guardrail_followups", dict.fromkeys(("cursor", "rows", "updatedAt", "downloadUrl", "workflowUrl"))),
        ],
        ids=["workflow", "parts of the workflow", "follow-ups"],
    )
    def test_the_other_feeds_take_null_too(self, operator, server, settings, feed, status):
        settings.STATUS_URLS = {**settings.STATUS_URLS, "quick_order": "", feed: server.url}
        server.usual = Reply(body=json.dumps(status).encode())
        capture([workflow_event()])

        page = operator.get(REPORTS).content.decode()

        workflow = page[page.index('id="workflow"') : page.index('id="followups"')]
        assert "unknown" in workflow
        assert "None" not in workflow
        assert "cannot be shown" not in workflow

    def test_a_broken_status_leaves_the_rest_of_the_page(self, operator, server):
        server.usual = Reply(500)
        capture([quick_order_event()])

        answer = operator.get(REPORTS)

        page = answer.content.decode()
        assert answer.status_code == 200
        assert "The export's status cannot be shown." in page
        assert "QUICK_ORDER_EXPORT_STATUS_URL: answered 500." in page
        assert 'id="rows"' in page
