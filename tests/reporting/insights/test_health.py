"""The verdict: every kind of finding, by its real cause, on the line, in the API and in the metrics, and gone again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.test import APIClient

from reporting.alerts import outbox
from reporting.checkpoints import rewinds
from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.insights import causes, health
from reporting.lake import storage
from reporting.models import (
    Beat,
    Checkpoint,
    ExportRun,
    FeedPause,
    Finding,
    HealthLook,
    RepairRequest,
    WebhookDestination,
)
from reporting.models.findings import Kind
from reporting.tasks import check_parity
from reporting.warehouse import parity
from telemetry.models import QuickOrderEvent, Refusal
from tests.database import (
    add_quick_orders,
    capture_quick_orders,
    database_url,
    export,
    record_segment,
)
from tests.fakes import Clock, FakeServer, Reply, fake_server
from tests.reporting.warehouse.builders import opened

API = "/api/v1/health/findings"
WELL = "All scheduled exports are on time and succeeded."

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def attended(settings, tmp_path):
    """A desk with a scheduler and its workers, which has exported once."""
    settings.VAR_DIR = tmp_path
    for role in Beat.Role:
        Beat.objects.create(role=role, host="a", process=1, lake="s3://lake", started_at=Now() - timedelta(hours=1))
    capture_quick_orders(20, recordedAt=timezone.now().isoformat())
    assert export().state == ExportRun.State.SUCCEEDED


@dataclass
class World:
    """What causes turn."""

    settings: Any
    monkeypatch: pytest.MonkeyPatch
    folder: Path
    server: FakeServer


@pytest.fixture
def world(settings, monkeypatch, tmp_path) -> Iterator[World]:
    with fake_server() as server:
        yield World(settings, monkeypatch, tmp_path, server)


def age(role: Beat.Role, seconds: int) -> None:
    Beat.objects.filter(role=role).update(seen_at=Now() - timedelta(seconds=seconds))


def no_worker(world: World) -> Iterator[None]:
    age(Beat.Role.WORKER, 61)
    yield
    age(Beat.Role.WORKER, 0)


def no_messenger(world: World) -> Iterator[None]:
    age(Beat.Role.MESSENGER, 61)
    yield
    age(Beat.Role.MESSENGER, 0)


def no_scheduler(world: World) -> Iterator[None]:
    age(Beat.Role.SCHEDULER, 61)
    yield
    age(Beat.Role.SCHEDULER, 0)


def two_schedulers(world: World) -> Iterator[None]:
    other = Beat.objects.create(role=Beat.Role.SCHEDULER, host="b", process=2, lake="s3://lake")
    age(Beat.Role.SCHEDULER, 0)
    yield
    other.delete()


def full_disk(world: World) -> Iterator[None]:
    world.monkeypatch.setattr(causes, "MIN_FREE", 1.0)
    yield
    world.monkeypatch.undo()


def row_past_the_ledger(world: World) -> Iterator[None]:
    last = QuickOrderEvent.objects.latest("position").position
    add_quick_orders(1)
    yield
    QuickOrderEvent.objects.filter(position__gt=last).delete()


def failed_run(world: World) -> Iterator[None]:
    record_segment()
    world.settings.ANALYTICS_SEGMENTS_WEBHOOK = world.server.url
    world.server.usual = Reply(400)
    assert export("onboarding_segments").state == ExportRun.State.FAILED
    yield
    world.server.usual = Reply(204)
    assert export("onboarding_segments").state == ExportRun.State.SUCCEEDED


def drift(world: World) -> Iterator[None]:
    lost = QuickOrderEvent.objects.order_by("position").values("position")[:3]
    QuickOrderEvent.objects.filter(position__in=list(lost.values_list("position", flat=True))).delete()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE telemetry_intaketally SET received = received - 3, accepted = accepted - 3")
    yield
    capture_quick_orders()
    export()


def late_feed(world: World) -> Iterator[None]:
    ExportRun.objects.update(finished_at=timezone.now() - timedelta(minutes=61))
    yield
    capture_quick_orders()
    export()


def forgotten_pause(world: World) -> Iterator[None]:
    ExportRun.objects.update(finished_at=timezone.now() - timedelta(days=2))
    FeedPause.objects.create(feed="quick_order", since=timezone.now() - timedelta(hours=25), reason="They are moving.")
    yield
    FeedPause.objects.all().delete()
    capture_quick_orders()
    export()


def stuck_queue(world: World) -> Iterator[None]:
    run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.OPERATOR)
    ExportRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(seconds=61))
    yield
    runs.perform_requested(str(run.pk))


def disabled_destination(world: World) -> Iterator[None]:
    WebhookDestination.objects.disable("ANALYTICS_SEGMENTS_WEBHOOK", "410")
    yield
    WebhookDestination.objects.all().enable()


def many_refusals(world: World) -> Iterator[None]:
    events: list[Any] = [{"name": 7}] * 21
    body = json.dumps(events)
    APIClient().generic("POST", "/api/telemetry", body, "application/json")
    yield
    Refusal.objects.update(at=Now() - timedelta(minutes=11))


def rewound(world: World) -> Iterator[None]:
    move = rewinds.rewind("quick_order", None, to_position=Checkpoint.objects.get().position - 1)
    yield
    rewinds.undo(move, None)


def long_writer(world: World) -> Iterator[None]:
    world.monkeypatch.setattr(causes, "LONG_WRITER", timedelta(0))
    with psycopg.connect(database_url()) as session:
        session.execute("LOCK telemetry_quickorderevent IN ROW EXCLUSIVE MODE")
        yield


def refused_by_slack(world: World) -> Iterator[None]:
    world.settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK = world.server.url
    world.server.usual, clock = Reply(400), Clock(timezone.now() + timedelta(seconds=1))
    outbox.put("a", "GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK", "text")
    outbox.deliver(clock, clock.pause)
    yield
    world.server.usual = Reply()
    outbox.put("b", "GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK", "text")
    clock.pause(60)
    outbox.deliver(clock, clock.pause)


def warehouse(world: World) -> Path:
    """A warehouse that was loaded, and found equal."""
    path = world.folder / "w.duckdb"
    world.settings.WAREHOUSE_URL = f"duckdb://{path}"
    call_command("load_warehouse", stderr=StringIO())
    check_parity()
    health.look()
    assert health.findings() == []
    return path


def lost_in_the_warehouse(world: World) -> Iterator[None]:
    path = warehouse(world)
    with opened(path) as session:
        table = FEEDS["quick_order"].table
        session.execute(f"DELETE FROM {table} WHERE event_id = (SELECT min(event_id) FROM {table})")  # noqa: S608
    check_parity()
    yield
    RepairRequest.objects.create(feed="quick_order")
    assert parity.repair_on_request()
    call_command("load_warehouse", stderr=StringIO())
    check_parity()


def quarantined(world: World) -> Iterator[None]:
    warehouse(world)
    capture_quick_orders(1, recordedAt=timezone.now().isoformat())
    uri = export().object_uri
    whole = b"".join(storage.read(uri))
    storage.write(uri, whole[:-1])
    with pytest.raises(CommandError, match="in quarantine"):
        call_command("load_warehouse", stderr=StringIO())
    check_parity()
    yield
    storage.write(uri, whole)
    call_command("load_warehouse", stderr=StringIO())
    check_parity()


def warehouse_away(world: World) -> Iterator[None]:
    path = warehouse(world)
    world.settings.WAREHOUSE_URL = f"duckdb://{world.folder}/nowhere/w.duckdb"
    world.folder.joinpath("nowhere").touch()
    check_parity()
    yield
    world.settings.WAREHOUSE_URL = f"duckdb://{path}"
    check_parity()


CAUSES: dict[Callable[[World], Iterator[None]], tuple[Kind, str, str]] = {
    no_worker: (Kind.NO_WORKER, "", "No worker is running: exports and loads stand still."),
    no_messenger: (Kind.NO_WORKER, "", "No worker for messages is running: nothing reaches Slack."),
    no_scheduler: (Kind.NO_SCHEDULER, "", "No scheduler is running: no export starts by itself."),
    two_schedulers: (Kind.SEVERAL_SCHEDULERS, "", "2 schedulers run on this database"),
    full_disk: (Kind.DISK_FULL, "", "% of the disk with VAR_DIR is free"),
    row_past_the_ledger: (Kind.LEDGER_REMAINDER, "quick_order", "1 unaccounted for"),
    failed_run: (Kind.FAILED_RUN, "onboarding_segments", "Last run failed: "),
    drift: (
        Kind.DRIFT,
        "quick_order",
        "Starts: the storefront says 17, the export 20 of the same events, 15.0 % apart.",
    ),
    late_feed: (Kind.LATE_FEED, "quick_order", "Late: last successful run ended "),
    forgotten_pause: (Kind.PAUSED, "quick_order", "Paused: They are moving. Nothing is exported on schedule."),
    stuck_queue: (Kind.STUCK_QUEUE, "quick_order", "A run is waiting for a worker."),
    disabled_destination: (Kind.DESTINATION_DISABLED, "onboarding_segments", "has unsubscribed (410)"),
    many_refusals: (Kind.REFUSALS, "", "21 events were refused in 10 minutes; usual is 0."),
    rewound: (Kind.REWOUND, "quick_order", "Rewound to "),
    long_writer: (Kind.LONG_WRITER, "quick_order", "is still writing, and exports wait for it."),
    refused_by_slack: (Kind.SLACK_FAILING, "", "Slack is not taking messages: Slack answered 400."),
    lost_in_the_warehouse: (Kind.WAREHOUSE_DIFFERS, "quick_order", "The warehouse differs: 1 missing"),
    quarantined: (Kind.ROWS_QUARANTINED, "quick_order", "The load has refused 0 rows and quarantined 1 file."),
    warehouse_away: (Kind.WAREHOUSE_UNCHECKED, "", "The last check of the warehouse failed: "),
}
# The rows of a file in quarantine are not in the warehouse.
BROUGHT_ALONG = {quarantined: (Kind.WAREHOUSE_DIFFERS,)}


def told(operator, api) -> tuple[list[tuple[str, str | None]], str, list[str]]:
    """What the API, the line and the metrics say is wrong."""
    found = api.get(API).json()["findings"]
    line = " ".join(operator.get("/admin/reports/verdict").content.decode().split())
    metrics = operator.get("/metrics").content.decode().splitlines()
    kinds = [
        text.split('"')[1] for text in metrics if text.startswith("smplat_findings{") and not text.endswith(" 0.0")
    ]
    return [(finding["kind"], finding["feed"]) for finding in found], line, kinds


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_each_kind_comes_with_its_cause_and_goes_with_it(cause, world, operator, api):
    kind, feed, sentence = CAUSES[cause]
    health.look()
    assert told(operator, api)[0] == []

    turned = cause(world)
    next(turned)
    health.look()

    found, line, metrics = told(operator, api)
    assert found == [(each, feed or None) for each in (*BROUGHT_ALONG.get(cause, ()), kind)]
    assert sentence in line
    assert metrics == [each for each, _ in found]

    next(turned, None)
    health.look()

    found, line, metrics = told(operator, api)
    assert (found, metrics) == ([], [])
    assert WELL in line


def test_every_kind_has_a_cause_in_these_tests():
    tested = {kind for kind, _, _ in CAUSES.values()}

    assert set(Kind) - tested == {Kind.NO_CHECKS}


def test_looks_that_do_not_end_are_noticed(operator, api, monkeypatch):
    def broken() -> Iterator[Finding]:
        raise OSError("no disk")

    health.look()
    monkeypatch.setattr(causes, "CAUSES", (broken,))
    with pytest.raises(OSError, match="no disk"):
        health.look()
    assert told(operator, api)[0] == []

    HealthLook.objects.update(ended_at=Now() - timedelta(seconds=121))

    assert told(operator, api)[0] == [(Kind.NO_CHECKS, None)]


def test_the_deep_readiness_names_kinds_and_no_more(client, world):
    health.look()
    assert client.get("/readyz?deep=1").json()["findings"] == []

    turned = failed_run(world)
    next(turned)
    health.look()

    answer = client.get("/readyz?deep=1")
    assert answer.status_code == 503
    assert answer.json()["findings"] == [{"kind": "failed_run", "feed": "onboarding_segments"}]
    assert client.get("/readyz").status_code == 200


def test_a_finding_keeps_its_time_while_it_holds_and_its_row_when_it_ends(world):
    turned = rewound(world)
    next(turned)
    health.look()
    first = Finding.objects.get()
    health.look()
    assert Finding.objects.get().since == first.since

    next(turned, None)
    health.look()
    assert Finding.objects.get().ended_at is not None

    next(rewound(world))
    health.look()
    assert [finding.ended_at is None for finding in Finding.objects.order_by("id")] == [False, True]


def test_processes_take_turns_in_looking():
    assert health.look_in_turn()
    assert not health.look_in_turn()

    HealthLook.objects.update(begun_at=Now() - timedelta(seconds=31))

    assert health.look_in_turn()


def test_a_look_that_another_one_has_overtaken_changes_nothing(monkeypatch):
    def overtaken() -> Iterator[Finding]:
        HealthLook.objects.update(begun_at=Now() + timedelta(seconds=1))
        yield Finding(kind=Kind.DRIFT, sentence="seen before", since=timezone.now())

    monkeypatch.setattr(causes, "CAUSES", (overtaken,))

    health.look()

    assert not Finding.objects.exists()


def test_readers_ask_the_same_few_times_whatever_is_wrong(world, django_assert_num_queries):
    health.look()
    with django_assert_num_queries(3):
        health.findings()

    for cause in (failed_run, rewound, disabled_destination):
        next(cause(world))
    health.look()

    with django_assert_num_queries(3):
        assert len(health.findings()) == 3


def test_a_button_that_an_operator_may_not_press_says_so(staff_with, world):
    next(failed_run(world))
    health.look()

    line = staff_with("reporting.view_exportrun").get("/admin/reports/verdict").content.decode()

    assert 'disabled title="Your account may not do this."' in line
    assert "/retry" not in line


def test_the_line_is_on_every_page(operator, world):
    next(failed_run(world))
    health.look()

    for path in ("/admin/", "/admin/reports", "/admin/onboarding", "/admin/reports/runs/", "/admin/auth/user/"):
        assert "Last run failed: " in operator.get(path).content.decode(), path


def test_who_may_not_view_runs_is_told_nothing(staff_with, stranger, world):
    next(failed_run(world))
    health.look()

    other = staff_with("auth.view_user")
    assert "Last run failed" not in other.get("/admin/auth/user/").content.decode()
    assert other.get("/admin/reports/verdict").status_code == 403
    assert stranger.get(API).status_code == 401


def test_a_desk_that_has_exported_nothing_says_what_starts_it(operator):
    ExportRun.objects.all().delete()
    health.look()

    line = " ".join(operator.get("/admin/reports/verdict").content.decode().split())

    assert "<strong>No exports yet.</strong> They run on a schedule, or choose Run now." in line


def test_a_desk_that_starts_waits_for_its_processes(operator, api):
    Beat.objects.all().delete()
    health.look()
    assert {kind for kind, _ in told(operator, api)[0]} == {Kind.NO_WORKER, Kind.NO_SCHEDULER}

    HealthLook.objects.all().delete()
    first = Beat.objects.create(role=Beat.Role.SCHEDULER, host="a", process=1, lake="s3://lake")
    assert told(operator, api)[0] == [], "nobody has looked yet, and nobody could have"
    health.look()
    assert told(operator, api)[0] == []

    Beat.objects.filter(pk=first.pk).update(started_at=Now() - timedelta(seconds=61))
    health.look()
    assert told(operator, api)[0] == [(Kind.NO_WORKER, None)]


def test_a_kind_of_another_version_harms_no_reader(operator, api):
    Finding.objects.create(kind="of_tomorrow", feed="gone", sentence="Something is wrong.")
    health.look_in_turn()
    Finding.objects.update(ended_at=None)

    found, line, _ = told(operator, api)

    assert found == [("of_tomorrow", "gone")]
    assert "Something is wrong." in line
