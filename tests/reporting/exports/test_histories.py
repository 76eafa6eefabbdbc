"""Whatever happens in whatever order, the merge of all files is what was committed."""

import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from reporting.accounting import retention
from reporting.feeds import FEEDS
from tests.reporting.exports.accidents import Meanwhile, Steps
from tests.reporting.exports.histories import WINDOWED, Histories

#: How many histories `make fuzz` tries; the suite tries a few, always the same.
HISTORIES = int(os.environ.get("HISTORIES", "0"))
MAX_STEPS = 30
IN_THE_SUITE = 15


@pytest.mark.django_db(transaction=True)
def test_no_history_loses_or_invents_a_row(monkeypatch):
    narrow = replace(FEEDS[WINDOWED], window=2)
    monkeypatch.setitem(FEEDS, WINDOWED, narrow)
    monkeypatch.setattr(retention, "WINDOW_FEEDS", (narrow,))
    monkeypatch.setattr(retention, "_BATCH", 2)
    steps, meanwhile = Steps(monkeypatch), Meanwhile(monkeypatch)

    def begin() -> Histories:
        return Histories(steps, meanwhile)

    run_state_machine_as_test(
        begin,  # type: ignore[arg-type]  # any maker of a machine will do
        settings=settings(
            max_examples=HISTORIES or IN_THE_SUITE,
            stateful_step_count=MAX_STEPS,
            derandomize=not HISTORIES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
