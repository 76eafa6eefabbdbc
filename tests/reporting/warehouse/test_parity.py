"""The warehouse held against the desk: what differs, and what must not be taken for a difference."""

import uuid
from datetime import timedelta
from io import StringIO
from pathlib import Path

import orjson
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from reporting import feeds
from reporting.accounting import retention
from reporting.checkpoints.rewinds import rewind
from reporting.feeds import FEEDS
from reporting.feeds.checksums import content_sum_sql, day_sql, json_columns, json_sum_sql
from reporting.feeds.shapes import model_of
from reporting.lake import storage
from reporting.lake.manifests import manifest_uri
from reporting.models import ExportRun, ParityCheck
from reporting.recording import segments
from reporting.tasks import check_parity, load_warehouse
from reporting.warehouse.parity import redacted
from telemetry.imports import import_events
from telemetry.models import QuickOrderEvent
from tests.database import capture, export, record_follow_up
from tests.factories import experiment, quick_order_event, workflow_event
from tests.reporting.warehouse.builders import opened

TABLE = {key: feed.table for key, feed in FEEDS.items()}
NASTY = 'Zürich 👍 "quoted" \\ \t ; \u2028 %s'

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def warehouse(tmp_path, settings):
    """A warehouse of the test's own, which the settings name."""
    path = tmp_path / "warehouse" / "w.duckdb"
    settings.WAREHOUSE_URL = f"duckdb://{path}"
    return path


def recently(**changes):
    return quick_order_event(recordedAt=timezone.now().isoformat(), productTitle=NASTY, **changes)


def record_everything() -> None:
    capture([recently(metadata={"n": number, "text": NASTY, "f": 1e-7}) for number in range(5)])
    capture([workflow_event(recordedAt=timezone.now().isoformat()) for _ in range(3)])
    bare = experiment(variant_key="control", variant_name=None, is_control=None, status=None)
    segments.record(uuid.uuid4(), [experiment(feature_flag_key="", assignment_strategy="sticky"), bare])
    record_follow_up(provider_name=NASTY, notes="")
    record_follow_up(provider_name=NASTY, action="resume")


def export_all(*keys: str) -> None:
    for key in keys or FEEDS:
        run = export(key)
        assert run.state == ExportRun.State.SUCCEEDED, run.error


def load() -> None:
    call_command("load_warehouse", stderr=StringIO())


def checked(*arguments: str) -> tuple[int, dict]:
    """The exit code of a check, and its report."""
    report = StringIO()
    try:
        call_command("check_parity", "--json", *arguments, stdout=report, stderr=StringIO())
    except CommandError as error:
        return error.returncode, orjson.loads(report.getvalue())
    return 0, orjson.loads(report.getvalue())


def named(report: dict, feed: str = "quick_order") -> dict[str, list[str]]:
    found = report["feeds"][feed]
    return {kind: found[kind]["ids"] for kind in ("missing", "changed", "extra") if found[kind]["count"]}


def in_warehouse(path: Path, statement: str):
    with opened(path) as session:
        return session.execute(statement).fetchall()


def ids(path: Path, feed: str = "quick_order") -> list[str]:
    key = FEEDS[feed].key_column
    return [str(row[0]) for row in in_warehouse(path, f"SELECT {key} FROM {TABLE[feed]} ORDER BY {key}")]  # noqa: S608


@pytest.fixture
def whole(warehouse):
    """A warehouse that holds everything that the desk has."""
    record_everything()
    export_all()
    load()
    return warehouse


class TestEqual:
    def test_a_warehouse_that_holds_everything_is_equal(self, whole):
        code, report = checked()

        assert code == 0
        rows = {key: (found["here"], found["there"], found["loaded"]) for key, found in report["feeds"].items()}
        assert rows == {
            "quick_order": (5, 5, 5),
            "guardrail_workflow": (3, 3, 3),
            "onboarding_segments": (2, 2, 2),
            "guardrail_followups": (2, 2, 2),
        }

    def test_before_the_first_export_everything_is_in_flight(self, warehouse):
        record_everything()

        code, report = checked()

        assert code == 0
        found = report["feeds"]["quick_order"]
        assert found["in_flight"]["count"] == 5
        assert sorted(found["in_flight"]["ids"]) == sorted(map(str, _ids()))
        assert (found["exported"], found["unloaded"]) == (0, 0)

    def test_what_was_exported_and_not_loaded_is_in_flight(self, whole):
        capture([recently()])
        export_all("quick_order")

        code, report = checked()

        found = report["feeds"]["quick_order"]
        assert (code, found["exported"], found["loaded"], found["unloaded"]) == (0, 6, 5, 1)
        assert found["in_flight"]["count"] == 1

    def test_a_rewound_checkpoint_is_no_difference(self, whole):
        rewind("quick_order", None, to_position=QuickOrderEvent.objects.order_by("position")[2].position)

        code, report = checked()

        found = report["feeds"]["quick_order"]
        assert (code, found["exported"], found["loaded"], found["remainder"]) == (0, 3, 3, 0)

    def test_an_empty_desk_and_an_empty_warehouse_are_equal(self, warehouse):
        assert checked()[0] == 0

    def test_rows_of_days_that_were_not_asked_for_do_not_count(self, whole):
        in_warehouse(whole, f"DELETE FROM {TABLE['quick_order']}")  # noqa: S608

        code, report = checked("--since", "2020-01-01", "--until", "2020-01-02")

        assert (code, report["feeds"]["quick_order"]["here"]) == (0, 0)


class TestShowFive:
    def test_a_row_deleted_one_changed_and_one_added_by_hand_are_named(self, whole):
        first, second, *_ = ids(whole)
        added = str(uuid.uuid4())
        table = TABLE["quick_order"]
        in_warehouse(whole, f"DELETE FROM {table} WHERE event_id = '{first}'")  # noqa: S608
        in_warehouse(whole, f"UPDATE {table} SET product_title = 'other' WHERE event_id = '{second}'")  # noqa: S608
        in_warehouse(
            whole,
            f"INSERT INTO {table} BY NAME SELECT * REPLACE ('{added}' AS event_id) FROM {table}"  # noqa: S608
            f" WHERE event_id = '{second}'",
        )

        code, report = checked()

        assert code == 1
        assert named(report) == {"missing": [first], "changed": [second], "extra": [added]}
        assert report["feeds"]["quick_order"]["remainder"] == 1

    def test_repair_and_load_bring_back_the_missing_and_the_changed(self, whole):
        table = TABLE["quick_order"]
        everything = f"SELECT COLUMNS(*)::VARCHAR FROM {table} ORDER BY event_id"  # noqa: S608
        before = in_warehouse(whole, everything)
        first, second, *_ = ids(whole)
        for _ in range(2):
            # The second time, the same repair was loaded before.
            in_warehouse(whole, f"DELETE FROM {table} WHERE event_id = '{first}'")  # noqa: S608
            in_warehouse(whole, f"UPDATE {table} SET metadata = '{{}}' WHERE event_id = '{second}'")  # noqa: S608

            code, report = checked("--repair")
            again = checked("--repair")[1]
            load()

            assert code == 1
            assert report["feeds"]["quick_order"]["repairs"] == again["feeds"]["quick_order"]["repairs"]
            assert in_warehouse(whole, everything) == before
            assert checked()[0] == 0

    @pytest.mark.parametrize("feed", FEEDS)
    def test_a_repair_is_an_object_of_the_stage_that_holds_exactly_the_missing(self, whole, settings, feed):
        missing = ids(whole, feed)[0]
        in_warehouse(whole, f"DELETE FROM {TABLE[feed]} WHERE {FEEDS[feed].key_column} = '{missing}'")  # noqa: S608

        ((uri),) = checked("--repair", "--feed", feed)[1]["feeds"][feed]["repairs"]

        assert uri.startswith(f"{settings.INGEST_STAGE_URI}/{feed}/dt={timezone.now():%Y-%m-%d}/repair-")
        (line,) = b"".join(storage.read(uri)).splitlines()
        assert orjson.loads(line)[FEEDS[feed].key_column] == missing
        assert list(orjson.loads(line)) == [column.name for column in FEEDS[feed].columns]
        assert orjson.loads(b"".join(storage.read(manifest_uri(uri))))["rows"] == 1
        load()
        assert checked("--feed", feed)[0] == 0


class TestWhatCounts:
    @pytest.mark.parametrize(
        "change",
        [
            'metadata = \'{"n": true, "text": 1}\'',
            "product_id = NULL",
            "session_id = ''",
            "recorded_at = recorded_at + INTERVAL 1 MICROSECOND",
            "recorded_at = recorded_at - INTERVAL 2 DAY",
            "recorded_at = recorded_at - INTERVAL 40 DAY",
            "event_name = 'quick_order.abort'",
        ],
    )
    def test_a_change_of_any_one_value_is_found(self, whole, change):
        first = ids(whole)[0]
        in_warehouse(whole, f"UPDATE {TABLE['quick_order']} SET {change} WHERE event_id = '{first}'")  # noqa: S608

        code, report = checked()

        assert code == 1
        assert set(named(report)) <= {"changed", "missing"}
        assert named(report).get("changed") == [first]

    def test_metadata_that_changed_after_a_check_was_equal_is_found(self, whole):
        check_parity()
        first = ids(whole)[0]
        in_warehouse(whole, f"UPDATE {TABLE['quick_order']} SET metadata = '{{}}' WHERE event_id = '{first}'")  # noqa: S608

        code, report = checked()

        assert (code, named(report)) == (1, {"changed": [first]})

    def test_a_day_that_was_equal_and_has_not_changed_is_not_read_again(self, whole):
        said = [StringIO(), StringIO()]

        for stderr in said:
            call_command("check_parity", stdout=StringIO(), stderr=stderr)

        assert ["row by row" in stderr.getvalue() for stderr in said] == [True, False]

    def test_true_and_one_are_not_the_same(self, warehouse):
        capture([recently(metadata={"flag": True})])
        export_all("quick_order")
        load()
        in_warehouse(warehouse, f"UPDATE {TABLE['quick_order']} SET metadata = '{{\"flag\": 1}}'")  # noqa: S608

        assert list(named(checked()[1])) == ["changed"]

    def test_spelling_and_order_of_metadata_do_not_count(self, warehouse):
        capture([recently(metadata={"a": 1.5, "bb": "é", "c": [1e15]})])
        export_all("quick_order")
        load()
        other = '{"c": [1000000000000000], "bb": "\\u00e9",  "a": 1.50}'
        in_warehouse(warehouse, f"UPDATE {TABLE['quick_order']} SET metadata = '{other}'")  # noqa: S608

        assert checked()[0] == 0

    def test_a_refused_row_is_neither_missing_nor_lost(self, warehouse):
        capture([recently() for _ in range(2)])
        export_all("quick_order")
        load()
        first = ids(warehouse)[0]
        in_warehouse(warehouse, f"DELETE FROM {TABLE['quick_order']} WHERE event_id = '{first}'")  # noqa: S608
        in_warehouse(
            warehouse,
            "INSERT INTO analytics.refused_rows SELECT object, 1, feed, 'row.x: Must be a string.', "  # noqa: S608
            f'\'{{"id": "{first}"}}\', loaded_at FROM analytics.load_history',
        )

        code, report = checked()

        found = report["feeds"]["quick_order"]
        assert (code, found["loaded"], found["refused"], found["missing"]["count"]) == (0, 1, 1, 0)
        assert found["refused_rows"] == [{"reason": "row.x: Must be a string.", "count": 1}]

    def test_rows_of_a_quarantined_object_are_missing_and_can_be_repaired(self, warehouse):
        capture([recently()])
        export_all("quick_order")
        uri = ExportRun.objects.get().object_uri
        storage.write(uri, b"damaged\n")
        with pytest.raises(CommandError):
            load()

        code, report = checked("--repair")

        found = report["feeds"]["quick_order"]
        assert (code, found["missing"]["count"]) == (1, 1)
        assert [item["object"] for item in found["quarantined"]] == [uri]
        with pytest.raises(CommandError):
            load()
        assert checked()[0] == 0

    def test_all_are_counted_and_a_hundred_are_named(self, warehouse):
        capture([recently() for _ in range(150)])
        export_all("quick_order")
        load()
        in_warehouse(warehouse, f"DELETE FROM {TABLE['quick_order']}")  # noqa: S608

        found = checked("--repair")[1]["feeds"]["quick_order"]

        assert (found["missing"]["count"], len(found["missing"]["ids"])) == (150, 100)
        load()
        assert checked()[0] == 0


class TestExpired:
    @pytest.fixture
    def pruned(self, monkeypatch, warehouse):
        """A warehouse that holds four events, of which retention has pruned three here."""
        from dataclasses import replace

        monkeypatch.setattr(retention, "WINDOW_FEEDS", (replace(feeds.FEEDS["quick_order"], window=1),))
        capture([recently() for _ in range(4)])
        QuickOrderEvent.objects.update(received_at=timezone.now() - timedelta(days=100))
        export_all("quick_order")
        load()
        assert retention.apply() == 3
        return warehouse

    def test_expired_rows_are_neither_missing_nor_extra(self, pruned):
        code, report = checked()

        assert (code, named(report)) == (0, {})
        assert report["ledger"]["quick_order"]["expired"] == 3
        assert report["ledger"]["quick_order"]["exported"] == 1

    def test_a_row_that_was_added_among_them_is_named(self, pruned):
        added = str(uuid.uuid4())
        in_warehouse(
            pruned,
            f"INSERT INTO {TABLE['quick_order']} BY NAME SELECT * REPLACE ('{added}' AS event_id)"  # noqa: S608
            f" FROM {TABLE['quick_order']} LIMIT 1",
        )

        code, report = checked()

        assert (code, named(report)) == (1, {"extra": [added]})


class TestTheCommand:
    def test_a_lost_counter_of_capture_fails_it(self, whole):
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM telemetry_intaketally WHERE line = 'telemetry.QuickOrderEvent'")

        with pytest.raises(CommandError, match="differs") as failure:
            call_command("check_parity", stdout=(report := StringIO()), stderr=StringIO())

        assert failure.value.returncode == 1
        line = "quick_order: accepted 0 = exported 5 + pending 0 + expired 0; REMAINDER -5"
        assert line in report.getvalue().splitlines()

    def test_it_says_how_many_of_the_accepted_rows_were_imported(self, whole):
        import_events([recently()])

        call_command("check_parity", "--feed", "quick_order", stdout=(report := StringIO()), stderr=StringIO())

        line = "quick_order: received 6 = accepted 6 + duplicate 0 + ignored 0 + rejected 0; 1 accepted imported"
        assert report.getvalue().splitlines()[0] == line

    def test_it_prints_the_equations(self, whole):
        call_command("check_parity", "--feed", "quick_order", stdout=(report := StringIO()), stderr=StringIO())

        since = (timezone.now() - timedelta(days=13)).date()
        assert report.getvalue().splitlines() == [
            "quick_order: received 5 = accepted 5 + duplicate 0 + ignored 0 + rejected 0",
            "quick_order: accepted 5 = exported 5 + pending 0 + expired 0",
            f"quick_order: since {since}: exported 5 = loaded 5 + refused 0 + in flight 0",
            "quick_order: 5 rows here, 5 in the warehouse",
        ]

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--target", "postgresql://h/d"],
            ["--since", "2026-01-02", "--until", "2026-01-01"],
        ],
    )
    def test_wrong_usage_ends_with_2(self, arguments):
        with pytest.raises(CommandError) as failure:
            call_command("check_parity", *arguments)

        assert failure.value.returncode == 2

    def test_a_warehouse_that_cannot_be_opened_fails_it(self, tmp_path):
        (tmp_path / "file").write_text("in the way")

        with pytest.raises(CommandError, match="Failed: cannot open") as failure:
            call_command("check_parity", "--target", f"duckdb://{tmp_path}/file/w.duckdb")

        assert failure.value.returncode == 1


class TestTheJob:
    def test_it_keeps_what_it_found(self, whole):
        check_parity()

        check = ParityCheck.objects.get()
        assert (check.state, check.remainder, check.target) == ("equal", 0, str(whole))
        assert check.figures["feeds"]["quick_order"]["there"] == 5

    def test_it_keeps_what_stopped_it(self, settings, tmp_path):
        (tmp_path / "file").write_text("in the way")
        settings.WAREHOUSE_URL = f"duckdb://{tmp_path}/file/w.duckdb"

        check_parity()

        check = ParityCheck.objects.get()
        assert (check.state, check.figures) == ("failed", {})
        assert check.problem.startswith("cannot open")

    def test_it_follows_a_load(self, whole, eager_tasks):
        load_warehouse()

        assert ParityCheck.objects.get().state == "equal"

    def test_no_secret_of_the_url_is_kept(self, settings):
        settings.WAREHOUSE_URL = "snowflake://loader:hunter2@account/lake?private_key_file_pwd=s3cret"

        check_parity()

        check = ParityCheck.objects.get()
        assert check.target == "snowflake://account/lake"
        assert "hunter2" not in check.problem + check.target


class TestSums:
    def test_both_engines_add_up_alike(self, whole):
        for feed in FEEDS.values():
            sums = {}
            for dialect, table in (("postgres", _table(feed)), ("duckdb", feed.table)):
                query = (
                    f"SELECT CAST({day_sql(dialect, feed.time_column)} AS VARCHAR(10)), "  # noqa: S608
                    f"{content_sum_sql(dialect, feed)} FROM {table} GROUP BY 1"
                )
                sums[dialect] = _both(dialect, query, whole)
            assert sums["postgres"] == sums["duckdb"]
            assert int(sums["duckdb"][0][1]) > 0

    @pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
    def test_snowflakes_sums_parse(self, feed):
        import sqlglot
        from sqlglot import exp

        query = (
            f"SELECT {day_sql('snowflake', feed.time_column)}, {content_sum_sql('snowflake', feed)}, "  # noqa: S608
            f"{json_sum_sql('snowflake', feed)} FROM {feed.table} GROUP BY 1"
        )

        parsed = sqlglot.parse_one(query, dialect="snowflake")

        assert not isinstance(parsed, exp.Command)
        assert ("TO_JSON" in query) == bool(json_columns(feed))


def _ids() -> list[uuid.UUID]:
    return list(QuickOrderEvent.objects.values_list("event_id", flat=True))


def _table(feed) -> str:
    return model_of(feed)._meta.db_table


def _both(dialect: str, query: str, path: Path):
    if dialect == "duckdb":
        return in_warehouse(path, query)
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.mark.parametrize("slashes", ["//", "///"])
def test_the_path_of_a_warehouse_is_shown_with_one_slash(slashes):
    assert redacted(f"duckdb:{slashes}/srv/lake/warehouse.duckdb") == "/srv/lake/warehouse.duckdb"
