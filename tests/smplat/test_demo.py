"""The sample telemetry of `make demo`."""

from datetime import UTC, datetime, timedelta

from reporting.recording.requests import FOLLOW_UP, RECORDING, validated
from smplat.demo.__main__ import _bodies, spread
from smplat.demo.recordings import FOLLOW_UPS, ORDERS, assignments

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_the_samples_are_spread_over_the_last_fourteen_days_in_their_order():
    events = spread(_bodies(), NOW)

    times = [datetime.fromisoformat(event["recordedAt"]) for event in events]
    assert times == sorted(times)
    assert times[0] > NOW - timedelta(days=14)
    assert timedelta(0) < NOW - times[-1] < timedelta(days=1)


def test_both_copies_of_an_event_stay_alike():
    copies: dict[str, list[dict]] = {}
    for event in spread(_bodies(), NOW):
        copies.setdefault(event["id"], []).append(event)

    assert all(copy == twins[0] for twins in copies.values() for copy in twins)
    assert max(len(twins) for twins in copies.values()) == 2


class TestRecordings:
    def test_assignments_are_bodies_that_the_recording_takes(self):
        made = list(assignments())

        assert len({order_id for order_id, _ in made}) == ORDERS
        assert all(validated(RECORDING, body)["experiments"] for _, body in made)

    def test_follow_ups_are_bodies_that_the_recording_takes(self):
        assert [validated(FOLLOW_UP, body)["action"] for body in FOLLOW_UPS] == ["escalate", "pause", "resume"]
