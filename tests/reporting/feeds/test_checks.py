"""The checks of the feeds' declarations: each mistake is reported with the feed and the column it stands in."""

from dataclasses import replace

import pytest
from django.core.checks import run_checks

from reporting.feeds import FEEDS, Column, ColumnType, Feed, WireField, checks

QUICK_ORDER = FEEDS["quick_order"]


def with_column(name: str, **changes: object) -> Feed:
    """The quick-order feed with a mistake in the declaration of one column."""
    columns = tuple(
        replace(column, **changes) if column.name == name else column  # type: ignore[arg-type]
        for column in QUICK_ORDER.columns
    )
    return replace(QUICK_ORDER, columns=columns)


@pytest.mark.parametrize("feed", FEEDS.values(), ids=lambda feed: feed.key)
def test_the_declared_feeds_are_right(feed):
    assert list(checks.problems(feed)) == []


@pytest.mark.parametrize(
    ("feed", "problem"),
    [
        pytest.param(
            replace(QUICK_ORDER, model="telemetry.SlowOrderEvent"),
            "Feed quick_order: there is no model telemetry.SlowOrderEvent.",
            id="unknown model",
        ),
        pytest.param(
            replace(QUICK_ORDER, columns=(*QUICK_ORDER.columns, Column("colour", ColumnType.TEXT, ("name",), "None."))),
            "Feed quick_order, column colour: telemetry.QuickOrderEvent has no such field.",
            id="unknown field",
        ),
        pytest.param(
            with_column("recorded_at", type=ColumnType.TEXT),
            "Feed quick_order, column recorded_at: declared TEXT, but the model's field is a DateTimeField.",
            id="wrong type",
        ),
        pytest.param(
            with_column("event_name", nullable=True),
            "Feed quick_order, column event_name: declared nullable, but the model's field is not so.",
            id="not nullable in the model",
        ),
        pytest.param(
            with_column("session_id", nullable=False),
            "Feed quick_order, column session_id: declared not nullable, but the model's field is not so.",
            id="nullable in the model",
        ),
        pytest.param(
            with_column("product_id", wire=("sku",)),
            "Feed quick_order, column product_id: its wire path sku is not in the feed's wire shape.",
            id="unknown wire path",
        ),
        pytest.param(
            replace(QUICK_ORDER, key_column="id"),
            "Feed quick_order: key or time column id is not one of its columns.",
            id="unknown key",
        ),
        pytest.param(
            replace(QUICK_ORDER, time_column="received_at"),
            "Feed quick_order: key or time column received_at is not one of its columns.",
            id="time column that does not leave",
        ),
        pytest.param(
            replace(QUICK_ORDER, wire=(*QUICK_ORDER.wire, WireField("colour", "paint__colour"))),
            "Feed quick_order: wire field colour reads paint__colour, which telemetry.QuickOrderEvent does not have.",
            id="unknown source",
        ),
        pytest.param(
            replace(QUICK_ORDER, key="slow_order"),
            "Feed slow_order: the settings name no export target for it.",
            id="window without a target",
        ),
    ],
)
def test_a_mistake_is_reported_with_feed_and_column(feed, problem):
    assert list(checks.problems(feed)) == [problem]


def test_every_mistake_is_reported_not_the_first_alone():
    feed = replace(with_column("event_name", type=ColumnType.UUID, nullable=True), key_column="id")

    assert len(list(checks.problems(feed))) == 3


def test_a_mistake_stops_the_system_check(monkeypatch):
    monkeypatch.setitem(FEEDS, "quick_order", replace(QUICK_ORDER, key_column="id"))

    messages = [message for message in run_checks() if message.id == "reporting.E001"]

    assert [message.msg for message in messages] == [
        "Feed quick_order: key or time column id is not one of its columns."
    ]
