"""The funnel and the workflow's activity."""

import pytest

from telemetry.summaries import WorkflowActivity, funnel


@pytest.mark.parametrize(
    ("starts", "completes", "rate"),
    [(0, 0, None), (0, 3, None), (3, 1, 33), (3, 2, 67), (200, 1, 1), (200, 3, 2), (40, 1, 3), (1, 2, 200)],
)
def test_the_completion_rate_is_rounded_half_up(starts, completes, rate):
    names = ["quick_order.start"] * starts + ["quick_order.complete"] * completes + ["quick_order.abort"]

    assert funnel(names) == {
        "startCount": starts,
        "abortCount": 1,
        "completeCount": completes,
        "completionRate": rate,
    }


def event(action: str, minute: int, provider: str | None = None, name: str | None = None) -> dict:
    return {
        "workflowAction": action,
        "providerId": provider,
        "providerName": name,
        "recordedAt": f"2026-11-08T10:{minute:02}:00.000000Z",
    }


def test_providers_come_newest_first_and_no_more_than_five():
    activity = WorkflowActivity(event("note.update", minute, f"p{minute}", f"P{minute}") for minute in range(7))

    assert [row["providerId"] for row in activity.provider_activity()] == ["p6", "p5", "p4", "p3", "p2"]


@pytest.mark.habit(
    "Workflow events may lack the providerId.",
    "They count in providerActivity, grouped by the provider's name, with null for the id.",
)
def test_events_without_a_provider_id_are_grouped_by_name():
    names = ["One", None, "One", "Two"]
    events = [event("note.update", minute, None, name) for minute, name in enumerate(names)]

    activity = WorkflowActivity([*events, event("note.update", 9, "p", "One")])

    found = [(row["providerId"], row["providerName"], row["totalActions"]) for row in activity.provider_activity()]
    assert found == [("p", "One", 1), (None, "Two", 1), (None, "One", 2), (None, None, 1)]


def test_an_event_that_arrives_late_counts_but_does_not_become_the_last_action():
    activity = WorkflowActivity([event("queue.pause", 9, "p", "New name"), event("note.update", 3, "p", "Old name")])

    assert activity.provider_activity() == [
        {
            "providerId": "p",
            "providerName": "New name",
            "totalActions": 2,
            "lastAction": "queue.pause",
            "lastActionAt": "2026-11-08T10:09:00.000000Z",
        }
    ]


def test_the_status_names_the_ten_most_frequent_actions_most_frequent_first():
    activity = WorkflowActivity(event(f"action.{number}", number) for number in range(12) for _ in range(number))

    assert [row["action"] for row in activity.top_actions()] == [f"action.{number}" for number in range(11, 1, -1)]


def test_no_events_give_zeros_and_nulls():
    assert WorkflowActivity().summary() == {
        "totalEvents": 0,
        "lastCapturedAt": None,
        "actionCounts": [],
        "attachmentTotals": {"upload": 0, "remove": 0, "copy": 0, "tag": 0},
        "providerActivity": [],
    }
