"""Counters that processes share."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from smplat.lib import minutes
from smplat.lib.shared_counts import SharedCounts


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counters"


def count_often(path: Path, names: list[str], times: int) -> None:
    counts = SharedCounts(path)
    for _ in range(times):
        for name in names:
            counts.count(name, 1)


def count_for_ever(path: Path) -> None:
    count_often(path, ["a"], 10**9)


def test_processes_that_count_at_once_lose_nothing(path):
    names = [f"capture:192.0.2.{number}" for number in range(20)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=count_often, args=(path, names, 500)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    counts = SharedCounts(path)
    assert [counts.count(name, 1, times=0) for name in names] == [1_500] * 20


def test_each_period_begins_at_zero(path):
    counts = SharedCounts(path)
    assert [counts.count("a", period) for period in (1, 1, 2, 2, 3)] == [1, 2, 1, 2, 1]


def test_with_more_names_than_places_none_has_the_count_of_another(path):
    counts = SharedCounts(path)
    most = counts.count("busy", 1, times=1_000)

    first = [counts.count(str(number), 1) for number in range(100_000)]

    assert set(first) == {1}
    assert counts.count("busy", 1) == most + 1


def test_a_process_that_is_killed_while_it_counts_holds_up_nobody(path):
    process = multiprocessing.get_context("spawn").Process(target=count_for_ever, args=(path,))
    process.start()
    counts = SharedCounts(path)
    while not counts.count("a", 1, times=0):
        time.sleep(0.01)

    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()

    before = counts.count("a", 1, times=0)
    assert counts.count("a", 1) == before + 1


def test_counts_outlive_the_processes(path):
    SharedCounts(path).count("a", 1)
    assert SharedCounts(path).count("a", 1) == 2


def test_a_folder_that_is_missing_is_said(settings, tmp_path):
    settings.COUNTERS_PATH = tmp_path / "missing" / "counters"
    with pytest.raises(minutes.UnreachableError, match="FileNotFoundError"):
        minutes.count("a")
