"""The load of a DuckDB file from the lake."""

import os
import signal
import subprocess
import sys
import tracemalloc
import uuid
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError

from reporting.feeds import FEEDS
from reporting.feeds.from_wire import UnmappableError, warehouse_row
from reporting.lake import storage
from reporting.lake.manifests import manifest_uri
from reporting.tasks import load_warehouse
from reporting.warehouse import plain, statements, targets
from reporting.warehouse.objects import fetch, receipt_of
from reporting.warehouse.reader import Reader
from reporting.warehouse.staging import stage
from smplat.env import Environment
from tests import ROOT
from tests.reporting.warehouse.builders import followup_row, opened, put, quick_order_row, table

QUICK_ORDER, FOLLOWUPS = FEEDS["quick_order"], FEEDS["guardrail_followups"]
SEGMENTS = FEEDS["onboarding_segments"]


@pytest.fixture
def warehouse(tmp_path) -> Path:
    """Where the warehouse of a test lies."""
    return Path(tmp_path, "warehouse", "w.duckdb")


def load(warehouse: Path, *arguments: str) -> str:
    """Load, and return what was said."""
    said = StringIO()
    call_command("load_warehouse", "--target", f"duckdb://{warehouse}", *arguments, stderr=said)
    return said.getvalue()


def failed_load(warehouse: Path) -> str:
    with pytest.raises(CommandError) as failure:
        load(warehouse)
    assert failure.value.returncode == 1
    return str(failure.value)


def history(warehouse: Path) -> dict[str, tuple]:
    with opened(warehouse) as connection:
        rows = connection.execute(
            "SELECT object, state, rows, loaded_rows, refused_rows, reason FROM analytics.load_history"
        )
        return {uri: tuple(rest) for uri, *rest in rows.fetchall()}


def refused(warehouse: Path) -> list[tuple]:
    with opened(warehouse) as connection:
        query = "SELECT object, line, feed, reason, raw FROM analytics.refused_rows ORDER BY object, line"
        return list(connection.execute(query).fetchall())


def dump(warehouse: Path) -> list[tuple]:
    """Everything that the warehouse holds, times of loads included."""
    with opened(warehouse) as connection:
        tables = [feed.table for feed in FEEDS.values()] + ["analytics.load_history", "analytics.refused_rows"]
        return [
            row
            for name in tables
            for row in connection.execute(f"SELECT CAST(t AS TEXT) FROM {name} AS t ORDER BY 1").fetchall()  # noqa: S608
        ]


class TestLoading:
    @pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz"])
    def test_every_value_arrives_as_it_was_sent(self, warehouse, name):
        metadata: dict[str, Any] = {
            "text": 'Zürich 👍 \\ " \n \t \u2028 \u0000 </script>',
            "numbers": [2**63 - 1, -(2**63), 2**64 - 1, 9007199254740993, 0.1, 1e-7, 1e22, -0.5],
            "nothing": None,
            "nested": [{"a": [[]]}],
            "": "",
        }
        row = quick_order_row(
            recordedAt="1999-12-31T23:59:59.999999Z", productTitle="x" * 150 + "é👍'", metadata=metadata
        )
        del row["sessionId"]
        put(QUICK_ORDER, name, [row])

        load(warehouse)

        assert table(warehouse, "quick_order") == {
            row["id"]: (
                row["id"],
                None,
                "quick_order.start",
                "prod_tt_boost",
                row["productTitle"],
                "tiktok",
                "1999-12-31T23:59:59.999999Z",
                metadata,
            )
        }

    def test_a_very_long_text_arrives_whole(self, warehouse):
        row = quick_order_row(metadata={"text": "é" * 3_000_000})
        put(QUICK_ORDER, "a.ndjson", [row])

        load(warehouse)

        assert table(warehouse, "quick_order")[row["id"]][7] == row["metadata"]

    def test_flat_feeds_load_from_the_lake_and_from_the_stage(self, warehouse):
        staged, wired = followup_row(notes="from the stage"), str(uuid.uuid4())
        put(FOLLOWUPS, "a.ndjson", [staged], shape="warehouse")
        wire_row = {"id": wired, "providerId": "p", "action": "resume", "createdAt": "2026-11-08T10:00:00+02:00"}
        context = {"id": "ig", "label": "Instagram", "handle": None, "platformType": "IG"}
        put(FOLLOWUPS, "b.ndjson", [{**wire_row, "platformContext": context, "follow_up_id": wired}])

        load(warehouse, "--feed", "guardrail_followups")

        rows = table(warehouse, FOLLOWUPS.key)
        assert rows[staged["follow_up_id"]] == tuple(staged.values())
        assert rows[wired] == (
            *(wired, "p", None, "resume", None, "ig", "Instagram", None, "IG", None, None),
            "2026-11-08T08:00:00.000000Z",
        )

    def test_only_what_a_manifest_lists_is_loaded(self, warehouse):
        uri = put(QUICK_ORDER, "a.ndjson", [quick_order_row()])
        storage.write(uri.replace("a.ndjson", "unfinished.ndjson"), orjson.dumps(quick_order_row()) + b"\n")

        load(warehouse)

        assert list(history(warehouse)) == [uri]

    def test_it_loads_from_s3(self, warehouse, s3, settings):
        settings.LAKE_URI = "s3://lake/prefix"
        uri = put(SEGMENTS, "a.ndjson.gz", [])
        settings.INGEST_STAGE_URI = "s3://lake/prefix/stage"
        staged = put(FOLLOWUPS, "dt=x y.ndjson", [followup_row()], shape="warehouse")

        load(warehouse)

        assert history(warehouse) == {
            uri: ("loaded", 0, 0, 0, None),
            staged.replace(" ", "%20"): ("loaded", 1, 1, 0, None),
        }

    def test_it_says_what_it_loaded(self, warehouse):
        uri = put(QUICK_ORDER, "a.ndjson", [quick_order_row(), quick_order_row()])

        said = load(warehouse)

        size = orjson.loads(b"".join(storage.read(manifest_uri(uri))))["bytes"]
        assert f"quick_order: 2 rows of {uri}; 0 refused\n" in said
        assert f"quick_order: loaded 1 object, 2 rows, {size:,} bytes\n" in said

    def test_a_dry_run_says_the_size_and_loads_nothing(self, warehouse):
        put(QUICK_ORDER, "a.ndjson", [quick_order_row(), quick_order_row()])

        said = load(warehouse, "--dry-run")

        assert "quick_order: would load 1 object, 2 rows, " in said
        assert "quick_order: loaded 1 object, 2 rows, " in load(warehouse)
        assert "quick_order: would load 0 objects, 0 rows, 0 bytes" in load(warehouse, "--dry-run")


class TestLoadingAgain:
    def test_a_second_load_changes_nothing(self, warehouse):
        put(QUICK_ORDER, "a.ndjson", [quick_order_row(), b"nonsense", quick_order_row()])
        put(FOLLOWUPS, "a.ndjson", [followup_row()], shape="warehouse")
        load(warehouse)
        before = dump(warehouse)

        load(warehouse)

        assert dump(warehouse) == before

    def test_replayed_rows_change_nothing(self, warehouse):
        rows = [quick_order_row() for _ in range(10)]
        put(QUICK_ORDER, "a.ndjson", rows)
        load(warehouse)
        before = table(warehouse, "quick_order")
        put(QUICK_ORDER, "b.ndjson", [*rows[3:], *rows[:5]])

        load(warehouse)

        assert table(warehouse, "quick_order") == before
        assert sorted(row[2] for row in history(warehouse).values()) == [10, 12]

    def test_of_two_rows_with_a_key_the_last_one_counts(self, warehouse):
        first = quick_order_row(productTitle="first")
        put(QUICK_ORDER, "a.ndjson", [first, {**first, "productTitle": "second"}])
        load(warehouse)
        put(QUICK_ORDER, "b.ndjson", [{**first, "productTitle": "third", "metadata": {}}])

        load(warehouse)

        assert [row[4] for row in table(warehouse, "quick_order").values()] == ["third"]

    def test_a_row_that_was_deleted_comes_back_with_an_object_that_holds_it(self, warehouse):
        row = quick_order_row()
        put(QUICK_ORDER, "a.ndjson", [row])
        load(warehouse)
        with opened(warehouse) as connection:
            connection.execute("DELETE FROM analytics.quick_order_events")
        put(QUICK_ORDER, "b.ndjson", [row])

        load(warehouse)

        assert list(table(warehouse, "quick_order")) == [row["id"]]


DAMAGE = {
    "longer": ({"bytes": 1}, "it has more than the 1 bytes of the manifest"),
    "shorter": ({"bytes": 1_000_000}, "bytes, and the manifest says 1000000"),
    "other bytes": ({"sha256": "0" * 64}, "and the manifest says 0000"),
    "other rows": ({"rows": 2}, "it has 1 row, and the manifest says 2"),
    "other ids": ({"idSum": 1}, "and the manifest says 1"),
    "another feed": ({"feed": "guardrail_workflow"}, "the manifest names the feed 'guardrail_workflow'"),
    "an unknown shape": ({"shape": "round"}, "the manifest names the shape 'round'"),
    "rows that are no number": ({"rows": "1"}, "have to be whole numbers"),
    "a time that is no string": ({"lastRecordedAt": [[1]]}, "have to be strings"),
    "a position that is no number": ({"firstPosition": {"a": 1}}, "have to be whole numbers"),
}


class TestQuarantine:
    @pytest.mark.parametrize(("manifest", "reason"), DAMAGE.values(), ids=DAMAGE)
    def test_an_object_unlike_its_manifest_is_named_and_the_others_load(self, warehouse, manifest, reason):
        good = quick_order_row()
        put(QUICK_ORDER, "a.ndjson", [good])
        bad = put(QUICK_ORDER, "b.ndjson", [quick_order_row()], manifest=manifest)
        put(QUICK_ORDER, "c.ndjson", [good])

        said = failed_load(warehouse)

        assert said.startswith(f"1 object not loaded:\n{bad} (in quarantine): ")
        assert reason in said
        assert list(table(warehouse, "quick_order")) == [good["id"]]
        assert history(warehouse)[bad][0] == "quarantined"
        assert reason in history(warehouse)[bad][4]

    def test_it_is_tried_again_and_loads_once_it_was_repaired(self, warehouse):
        row = quick_order_row()
        uri = put(QUICK_ORDER, "a.ndjson", [row], manifest={"rows": 2})
        failed_load(warehouse)
        failed_load(warehouse)

        put(QUICK_ORDER, "a.ndjson", [row])
        load(warehouse)

        assert history(warehouse) == {uri: ("loaded", 1, 1, 0, None)}
        assert list(table(warehouse, "quick_order")) == [row["id"]]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [(b"{", "the manifest is not JSON"), (b"[]", "the manifest is not JSON"), (b"x" * 70_000, "too long")],
        ids=["torn", "an array", "long"],
    )
    def test_a_manifest_that_is_none_is_named(self, warehouse, content, reason):
        uri = put(QUICK_ORDER, "a.ndjson", [quick_order_row()])
        storage.write(manifest_uri(uri), content)

        assert reason in failed_load(warehouse)

    def test_a_manifest_without_its_object_is_named(self, warehouse):
        uri = put(QUICK_ORDER, "a.ndjson", [quick_order_row()])
        Path(uri.removeprefix("file://")).unlink()

        assert "there is a manifest, and no object" in failed_load(warehouse)

    def test_a_compressed_object_that_is_damaged_is_named(self, warehouse):
        uri = put(QUICK_ORDER, "a.ndjson.gz", [quick_order_row() for _ in range(50)])
        data = b"".join(storage.read(uri))
        storage.write(uri, data[:200] + b"\0\0\0\0" + data[204:])

        assert f"{uri} (in quarantine): " in failed_load(warehouse)
        assert table(warehouse, "quick_order") == {}


REFUSED = {
    "not JSON": (b"{nope", "row: Must be JSON."),
    "not UTF-8": (b'{"id": "\xff"}', "row: Must be JSON."),
    "empty": (b"", "row: Must be JSON."),
    "not an object": (b"[1]", "row: Must be an object."),
    "no number": (b'{"id": NaN}', "row: Must be JSON."),
    "a bad UUID": ({"id": "evt_1"}, "row.id: Must be a UUID."),
    "a number for a UUID": ({"id": 7}, "row.id: Must be a UUID."),
    "no name": ({"name": None}, "row.name: Must not be null or missing."),
    "a bad time": ({"recordedAt": "2026-02-30T00:00:00.000000Z"}, "row.recordedAt: Must be a time"),
    "a date": ({"recordedAt": "2026-02-03"}, "row.recordedAt: Must be a time"),
    "a string of another type": ({"sessionId": 5}, "row.sessionId: Must be a string"),
    "a text that is too long": ({"name": "x" * 10_000}, "row.name: Must be a string of at most"),
    "a group that is none": ({"guardrail": "tiktok"}, "row.guardrail: Must be an object or null."),
    "no metadata": ({"metadata": None}, "row.metadata: Must not be null or missing."),
}


class TestRefusedRows:
    @pytest.mark.parametrize(("bad", "reason"), REFUSED.values(), ids=REFUSED)
    def test_a_row_of_the_wrong_type_is_kept_aside_and_the_others_load(self, warehouse, bad, reason):
        good = [quick_order_row(), quick_order_row()]
        line = bad if isinstance(bad, bytes) else orjson.dumps(quick_order_row(**bad))
        uri = put(QUICK_ORDER, "a.ndjson", [good[0], line, good[1]])

        said = load(warehouse)

        assert "quick_order: loaded 1 object, 2 rows" in said
        assert "; 1 row refused" in said
        assert sorted(table(warehouse, "quick_order")) == sorted(row["id"] for row in good)
        assert history(warehouse) == {uri: ("loaded", 3, 2, 1, None)}
        ((*place, found, raw),) = refused(warehouse)
        assert place == [uri, 2, "quick_order"]
        assert found.startswith(reason)
        assert raw == line.decode(errors="backslashreplace")

    def test_an_unknown_boolean_is_refused(self, warehouse):
        ids = {name: str(uuid.uuid4()) for name in ("eventId", "journeyId", "orderId")}
        texts = {"slug": "s", "variantKey": "v", "status": "running", "recordedAt": "2026-11-08T08:04:48.397123Z"}
        put(SEGMENTS, "a.ndjson", [{**ids, **texts, "isControl": value} for value in ("yes", 1, None)])

        load(warehouse, "--feed", "onboarding_segments")

        assert [row[3] for row in refused(warehouse)] == [
            "row.isControl: Must be true or false.",
            "row.isControl: Must be true or false.",
        ]
        assert [row[7] for row in table(warehouse, SEGMENTS.key).values()] == [None]

    def test_a_table_of_an_earlier_version_takes_null_where_that_is_allowed_by_now(self, warehouse):
        load(warehouse)
        with opened(warehouse) as connection:
            connection.execute(f"ALTER TABLE {SEGMENTS.table} ALTER COLUMN status SET NOT NULL")
        ids = {name: str(uuid.uuid4()) for name in ("event_id", "journey_id", "order_id")}
        required = {"slug": "s", "variant_key": "v", "recorded_at": "2026-11-08T08:04:48.397123Z"}
        put(SEGMENTS, "a.ndjson", [{**ids, **required}], shape="warehouse")

        load(warehouse)

        assert [row[7:11] for row in table(warehouse, SEGMENTS.key).values()] == [(None, None, None, None)]


ODD_VALUES: list[Any] = [
    *(None, True, 5, 1.5, "", "x", "2026-11-08T08:04:48Z", "2026-13-08T08:04:48.000000Z"),
    *("2026-02-30T08:04:48.000000Z", "2026-11-08T24:00:00.000000Z", "2026-11-08T23:59:60.000000Z"),
    *("\u0661970-01-01T00:00:00.000000Z", "2199-12-31T23:59:59.999999Z", "2200-01-01T00:00:00.000000Z"),
    *(str(uuid.UUID(int=7)).upper(), uuid.UUID(int=7).hex, f"{{{uuid.UUID(int=7)}}}"),
    *([], {}, {"platformSlug": 5}, {"platformSlug": "x"}, {"platformSlug": None}, {"platformType": ["a"]}),
    *({"platformType": 'a \\ " \n \u0000 é👍'}, "x" * 5_000, "👍" * 255, "👍" * 256, "null", "NaN", "[NaN", "\\"),
]


def odd_rows() -> list[bytes]:
    """Lines of quick orders, each with one value that is not what it usually is."""
    rows: list[Any] = [{**quick_order_row(), name: value} for name in quick_order_row() for value in ODD_VALUES]
    short = [{key: value for key, value in quick_order_row().items() if key != name} for name in quick_order_row()]
    texts = [b'{"a": NaN}', b"[-Infinity]", b'{"a": 1e22, "b": -0.5}', b'"\xff"', b"{"]
    plain_line = orjson.dumps(quick_order_row(metadata="here"))
    lines = [orjson.dumps(row) for row in [*rows, *short, [], None, "x", {}]]
    return [*lines, *(plain_line.replace(b'"here"', text) for text in texts)]


def outcome(read, line: bytes) -> Any:
    try:
        return read(line)
    except UnmappableError as problem:
        return str(problem)


class TestShortCuts:
    def test_that_of_python_reads_rows_as_the_shim_does(self):
        lines = [line for line in odd_rows() if is_json(line)]

        read = [outcome(Reader(QUICK_ORDER, "wire").row, line) for line in lines]

        assert read == [
            outcome(lambda line: warehouse_row(QUICK_ORDER, orjson.loads(line), "row"), line) for line in lines
        ]
        assert {type(result) for result in read} == {dict, str}

    def test_that_of_duckdb_takes_no_row_otherwise_than_python(self, warehouse, tmp_path):
        load(warehouse)
        taken = 0
        with targets.connect(f"duckdb://{warehouse}") as target:
            for number, line in enumerate(odd_rows()):
                found = read_by_duckdb(target, tmp_path / f"{number}.ndjson", line)
                if found is not None:
                    assert found == outcome(Reader(QUICK_ORDER, "wire").row, line)
                    taken += 1

        assert 100 < taken < len(odd_rows()) - 100

    def test_python_reads_no_row_of_an_object_of_plain_rows(self, warehouse, monkeypatch):
        monkeypatch.setattr(Reader, "row", None)
        put(QUICK_ORDER, "a.ndjson.gz", [quick_order_row(), quick_order_row(guardrail=None, sessionId=None)])
        put(FOLLOWUPS, "b.ndjson", [followup_row(notes="é👍 \\ \n")], shape="warehouse")

        load(warehouse)

        assert [row[2] for row in history(warehouse).values()] == [2, 1]

    def test_a_blank_line_is_refused_beside_plain_rows(self, warehouse):
        put(QUICK_ORDER, "a.ndjson", [quick_order_row(), b"", b" ", quick_order_row()])

        load(warehouse)

        assert [row[1] for row in refused(warehouse)] == [2, 3]


def is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def read_by_duckdb(target: targets.Target, path: Path, line: bytes) -> dict[str, Any] | None:
    """A line as DuckDB reads it into the staging table, None where that is left to Python."""
    path.write_bytes(line + b"\n")
    target.execute(statements.create_staging("duckdb", QUICK_ORDER, "TEMPORARY"))
    target.execute(plain.fill_staging(QUICK_ORDER, "wire", path, len(line) + 1))
    times = {"recorded_at": "strftime(recorded_at, '%Y-%m-%dT%H:%M:%S.%fZ')", "event_id": "CAST(event_id AS TEXT)"}
    names = [column.name for column in QUICK_ORDER.columns]
    values = ", ".join(times.get(name, name) for name in names)
    rows = target.execute(f"SELECT {values} FROM {statements.staging_name('duckdb', QUICK_ORDER)}")  # noqa: S608
    if not rows or rows[0][0] is None:
        return None
    return {**dict(zip(names, rows[0], strict=True)), "metadata": orjson.loads(rows[0][-1])}


LOADER = [sys.executable, "manage.py", "load_warehouse"]


def environment(settings, **changes: str) -> dict[str, str]:
    """The environment of a host that has the lake, and no database."""
    return {
        **os.environ,
        "LAKE_URI": settings.LAKE_URI,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "VAR_DIR": str(settings.SPOOL_DIR.parent),
        **changes,
    }


class TestProcesses:
    def test_it_needs_no_database(self, warehouse, settings):
        put(QUICK_ORDER, "a.ndjson", [quick_order_row()])

        ended = subprocess.run(
            LOADER,
            cwd=ROOT,
            env=environment(settings, WAREHOUSE_URL=f"duckdb://{warehouse}"),
            capture_output=True,
            text=True,
            check=False,
        )

        assert (ended.returncode, ended.stdout) == (0, "")
        assert len(table(warehouse, "quick_order")) == 1

    def test_a_second_loader_is_told_that_another_one_has_the_file(self, warehouse, settings):
        warehouse.parent.mkdir()
        with opened(warehouse):
            ended = subprocess.run(
                [*LOADER, "--target", f"duckdb://{warehouse}"],
                cwd=ROOT,
                env=environment(settings),
                capture_output=True,
                text=True,
                check=False,
            )

        assert ended.returncode == 1
        assert f"another process has {warehouse} open, and one at a time may" in ended.stderr
        assert "Traceback" not in ended.stderr

    def test_killed_in_the_middle_the_next_load_completes_and_doubles_nothing(self, warehouse, settings):
        rows = [quick_order_row() for _ in range(4_000)]
        for number in range(40):
            put(QUICK_ORDER, f"{number:02}.ndjson", rows[number * 100 : number * 100 + 200])
        loader = subprocess.Popen(
            [*LOADER, "--target", f"duckdb://{warehouse}"],
            cwd=ROOT,
            env=environment(settings),
            stderr=subprocess.PIPE,
            text=True,
        )
        assert loader.stderr is not None
        first = loader.stderr.readline()
        loader.send_signal(signal.SIGKILL)
        loader.wait()
        loader.stderr.close()

        done_before = len(history(warehouse))
        load(warehouse)

        assert first.startswith("quick_order: 200 rows of ")
        assert 1 <= done_before < 40
        assert sorted(table(warehouse, "quick_order")) == sorted(row["id"] for row in rows)
        assert sum(row[2] for row in history(warehouse).values()) == 39 * 200 + 100


class TestLargeObjects:
    def test_an_object_of_several_parts_loads_whole_and_its_last_row_counts(self, warehouse):
        rows = [quick_order_row(metadata={"text": "x" * 40_000}) for _ in range(2_000)]
        last = {**rows[0], "productTitle": "last", "metadata": {}}
        put(QUICK_ORDER, "a.ndjson.gz", [*rows, last])

        load(warehouse)

        loaded = table(warehouse, "quick_order")
        assert sorted(loaded) == sorted(row["id"] for row in rows)
        assert (loaded[last["id"]][4], loaded[rows[1]["id"]][7]) == ("last", rows[1]["metadata"])

    def test_reading_and_checking_takes_no_more_memory_for_more_rows(self, tmp_path):
        def peak(count: int) -> int:
            uri = put(QUICK_ORDER, f"{count}.ndjson", [quick_order_row() for _ in range(count)])
            folder = tmp_path / str(count)
            folder.mkdir()
            receipt = receipt_of(QUICK_ORDER, uri)
            tracemalloc.start()
            assert stage(QUICK_ORDER, uri, receipt, fetch(uri, receipt, folder), folder).rows == count
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return most

        few, many = peak(5_000), peak(20_000)

        assert many < few + 200_000


def rows_read_by_an_older_duckdb(warehouse: Path) -> str:
    """What the command line of DuckDB 1.x says about how many rows were loaded."""
    query = f"SELECT COUNT(*) AS rows FROM {FOLLOWUPS.table}"  # noqa: S608 - a name of ours
    command = [sys.executable, "-m", "duckdb_cli", "-readonly", "-csv", "-noheader", str(warehouse), query]
    ran = subprocess.run(command, capture_output=True, text=True)
    return ran.stdout.strip() or ran.stderr.strip()


class TestTheVersionOfTheFile:
    @pytest.mark.habit(
        "Notebooks open the warehouse's DuckDB file with the DuckDB 1.x that they have.",
        "`load_warehouse` makes files that DuckDB 1.x reads, unless `?storage_version=` says otherwise.",
    )
    def test_duckdb_1_reads_a_file_of_the_load(self, warehouse):
        put(FOLLOWUPS, "a.ndjson", [followup_row(), followup_row()], shape="warehouse")
        load(warehouse)

        assert rows_read_by_an_older_duckdb(warehouse) == "2"

    def test_another_version_can_be_chosen(self, warehouse):
        call_command("load_warehouse", "--target", f"duckdb://{warehouse}?storage_version=v2.0.0", stderr=StringIO())

        assert "created with a newer version of DuckDB" in rows_read_by_an_older_duckdb(warehouse)

    def test_a_file_that_is_there_keeps_its_version_and_goes_on_being_loaded(self, warehouse):
        warehouse.parent.mkdir()
        duckdb.connect(warehouse).close()
        put(FOLLOWUPS, "a.ndjson", [followup_row()], shape="warehouse")
        load(warehouse)

        assert len(table(warehouse, FOLLOWUPS.key)) == 1
        assert "created with a newer version of DuckDB" in rows_read_by_an_older_duckdb(warehouse)

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            ("storage_version=v9", "The version string 'v9' is not a known DuckDB version"),
            ("version=v1.0.0", "the URL of a DuckDB file has no version; it has storage_version"),
        ],
    )
    def test_an_unknown_version_or_option_is_named(self, warehouse, query, reason):
        assert reason in failed_load(Path(f"{warehouse}?{query}"))


class TestTheWarehouse:
    @pytest.mark.parametrize(
        "url",
        ["", "postgresql://h/d", "duckdb://host/path", "duckdb:///", "snowflake://account/db", "snowflake://u:p@a"],
    )
    def test_a_url_of_another_form_is_wrong_usage(self, url):
        with pytest.raises(CommandError, match="has to name the warehouse: duckdb:///absolute/path or snow") as failure:
            call_command("load_warehouse", "--target", url)

        assert failure.value.returncode == 2

    def test_a_file_that_is_no_warehouse_is_named(self, tmp_path):
        (tmp_path / "notes.txt").write_text("not a database" * 1_000)

        assert f"cannot open {tmp_path / 'notes.txt'}" in failed_load(tmp_path / "notes.txt")

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path):
        (tmp_path / "file").write_text("in the way")

        assert f"cannot open {tmp_path / 'file' / 'w.duckdb'}" in failed_load(tmp_path / "file" / "w.duckdb")

    def test_without_the_driver_of_snowflake_it_says_how_to_install_it(self):
        with pytest.raises(CommandError, match=r"pip install 'smplat\[snowflake\]'") as failure:
            call_command("load_warehouse", "--target", "snowflake://loader:hunter2@account/lake?warehouse=w")

        assert "hunter2" not in str(failure.value)

    def test_a_snowflake_url_says_all_that_the_driver_asks(self):
        arguments = targets._snowflake_arguments("snowflake://lo%40der:p%2Fw@org-acct/lake?warehouse=w&role=r")

        assert arguments | {"session_parameters": None} == {
            "user": "lo@der",
            "password": "p/w",
            "account": "org-acct",
            "database": "lake",
            "warehouse": "w",
            "role": "r",
            "paramstyle": "qmark",
            "login_timeout": 30,
            "network_timeout": 600,
            "session_parameters": None,
        }

    def test_an_option_that_snowflake_does_not_have_is_named(self):
        with pytest.raises(targets.TargetError, match="has no wharehouse; it has authenticator, "):
            targets._snowflake_arguments("snowflake://u:p@a/d?wharehouse=w")


class TestTheSetting:
    def test_an_invalid_url_stops_the_start_and_keeps_its_password(self):
        environment = Environment({"WAREHOUSE_URL": "snowflake://loader:hunter2@/"})
        environment.warehouse_url("WAREHOUSE_URL")

        with pytest.raises(
            ImproperlyConfigured, match=r"^WAREHOUSE_URL: must be duckdb:///absolute/path or "
        ) as failure:
            environment.finish()

        assert "hunter2" not in str(failure.value)

    def test_the_job_loads_the_warehouse_of_the_settings(self, warehouse, settings):
        settings.WAREHOUSE_URL = f"duckdb://{warehouse}"
        put(QUICK_ORDER, "a.ndjson", [quick_order_row()])

        load_warehouse()

        assert len(table(warehouse, "quick_order")) == 1

    def test_the_job_logs_what_it_left_out(self, warehouse, settings, caplog):
        settings.WAREHOUSE_URL = f"duckdb://{warehouse}"
        uri = put(QUICK_ORDER, "a.ndjson", [quick_order_row()], manifest={"rows": 3})

        load_warehouse()

        assert f"The load of the warehouse left out {uri} (in quarantine): it has 1 row, " in caplog.text

    @pytest.mark.parametrize(("url", "is_there"), [("", False), ("duckdb:///w.duckdb", True)])
    def test_the_job_is_scheduled_where_there_is_a_warehouse(self, settings, url, is_there):
        code = "from smplat.celery import app; print('load warehouse' in app.conf.beat_schedule)"
        variables = environment(settings, WAREHOUSE_URL=url, LAKE_URI="file:///lake")

        said = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
        )

        assert said.stdout == f"{is_there}\n"
