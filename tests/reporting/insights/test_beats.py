"""Two schedulers on one database are noticed; one that took the place of another is not."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from reporting.insights import beats
from reporting.models import Beat

pytestmark = pytest.mark.django_db


def beat(process: int, started: float, seen: float, lake: str = "s3://lake") -> Beat:
    """A scheduler that started and was last seen so many seconds ago."""
    at = {"started_at": Now() - timedelta(seconds=started), "seen_at": Now() - timedelta(seconds=seen)}
    return Beat.objects.create(host="a", process=process, lake=lake, **at)


def test_one_is_well_and_two_are_named():
    beat(1, started=100, seen=2)
    assert beats.problem() == ""

    beat(2, started=50, seen=5)

    assert beats.problem() == (
        "2 schedulers run on this database: process 1 on a and process 2 on a. "
        "Every job is started by each; stop all but one."
    )


def test_different_lakes_are_named():
    beat(1, started=100, seen=2)
    beat(2, started=50, seen=5, lake="file:///var/lake on b")

    assert beats.problem().endswith(
        "They write to 2 lakes, and no lake holds all rows: file:///var/lake on b, s3://lake."
    )


@pytest.mark.parametrize(
    ("started", "seen"), [(5, 1), (100, 31)], ids=["the other was gone before it started", "the other fell silent"]
)
def test_one_that_is_alone_now_is_well(started, seen):
    beat(1, started=200, seen=10 if started == 5 else 2)
    beat(2, started=started, seen=seen)

    assert beats.problem() == ""


def test_signing_keeps_one_row_a_process_and_forgets_old_ones():
    beat(1, started=2_000_000, seen=1_000_000)
    mine = beats.this_process(Beat.Role.SCHEDULER)

    beats.sign(mine)
    first = Beat.objects.get()
    aged = first.seen_at - timedelta(seconds=5)
    Beat.objects.update(seen_at=aged)
    beats.sign(mine)

    again = Beat.objects.get()
    assert (again.pk, again.started_at) == (first.pk, first.started_at)
    assert again.seen_at >= first.seen_at


def test_the_metrics_say_so(operator):
    beat(1, started=100, seen=2)
    beat(2, started=50, seen=5, lake="s3://other")

    metrics = operator.get("/metrics").content.decode()

    assert "smplat_schedulers 2.0" in metrics
    assert "smplat_lakes 2.0" in metrics
