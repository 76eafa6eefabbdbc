"""The statements of the warehouse: Snowflake's parse, DuckDB's run, and both say what the reference says."""

import hashlib
import itertools
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import sqlglot
from django.core.management import call_command
from django.core.management.base import CommandError
from sqlglot import exp

from reporting.feeds import FEEDS, WINDOW_FEEDS
from reporting.feeds.shapes import model_of, warehouse_rows
from reporting.lake import storage
from reporting.warehouse import schema, script, statements
from tests.database import export, record_follow_up
from tests.reporting.warehouse.builders import followup_row, opened, put, quick_order_row, table

FOLLOWUPS = FEEDS["guardrail_followups"]
TEXT_FOLLOWUPS = schema.with_text_uuids(FOLLOWUPS)
#: What Snowflake lists for COPY transformations, as of 2026: docs.snowflake.com, "Transforming data during a load".
COPY_FUNCTIONS = re.findall(
    r"\w+",
    """ARRAY_CONSTRUCT ARRAY_SIZE ASCII CASE CAST CEIL CHECK_JSON CHECK_XML CHR CHAR CONCAT CONVERT_TIMEZONE ENDSWITH
    EQUAL_NULL FLOOR GET GET_PATH HEX_DECODE_STRING HEX_ENCODE IFF IFNULL ILIKE IN IS_ARRAY IS_BOOLEAN IS_DECIMAL
    IS_INTEGER IS_NULL_VALUE IS_OBJECT IS_TIME IS_TIMESTAMP LENGTH LEN LIKE LPAD LTRIM MD5 MD5_HEX NULLIF NVL NVL2
    OBJECT_CONSTRUCT PARSE_IP PARSE_JSON PARSE_URL PARSE_XML RANDOM REGEXP_REPLACE REGEXP_SUBSTR REPLACE REVERSE RPAD
    RTRIM SPLIT SPLIT_PART STARTSWITH SUBSTR SUBSTRING TO_ARRAY TO_BINARY TO_BOOLEAN TO_CHAR TO_VARCHAR TO_DATE DATE
    TO_DECFLOAT TO_DECIMAL TO_NUMBER TO_NUMERIC TO_DOUBLE TO_OBJECT TO_TIME TIME TO_TIMESTAMP TO_VARIANT TRIM TRY_CAST
    TRY_HEX_DECODE_STRING TRY_TO_BINARY TRY_TO_BOOLEAN TRY_TO_DATE TRY_TO_DECFLOAT TRY_TO_DECIMAL TRY_TO_NUMBER
    TRY_TO_NUMERIC TRY_TO_DOUBLE TRY_TO_TIME UNICODE UUID_STRING XMLGET""",
)
# The customer's COPY of the guardrail feed, as it stands in the reference.
REFERENCE_COPY = """\
COPY INTO analytics.guardrail_followups
FROM @analytics.guardrail_followups_stage
FILE_FORMAT = (TYPE = 'JSON' STRIP_OUTER_ARRAY = FALSE)
MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
ON_ERROR = 'CONTINUE';
"""
#: Of the block in the reference, from SELECT to the newline after its semicolon.
REFERENCE_QUERY_SHA256 = "4c309ed1e0c740a37c77f72363bb1810463abbac3a2c5930fc443e27e8d8b4a3"


def printed(*arguments: str) -> str:
    output = StringIO()
    call_command("warehouse_sql", *arguments, stdout=output)
    return output.getvalue()


def parsed(statement: str) -> Any:
    return sqlglot.parse_one(statement, read="snowflake")


def of_stage(feed: Any) -> Any:
    """The stage of the ingestion shim, or of a telemetry job."""
    return script.stages(feed)[-1]


def transformation(feed: Any) -> str:
    """What a COPY of objects in wire shape selects, without its strings, types and metadata."""
    copy = statements.copy(feed, of_stage(feed), statements.staging_name("snowflake", feed), ["a"])
    return re.sub(r"'[^']*'|::\w+|METADATA\$\w+", "", copy[copy.index("SELECT") : copy.index("FILES")])


def copy_parameters(tree: Any) -> dict[str, str]:
    return {str(item.this.name).upper(): item.sql("snowflake") for item in tree.args["params"]}


class TestSnowflake:
    @pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
    def test_every_printed_statement_parses_into_something_sqlglot_knows(self, feed):
        put(feed, "a.ndjson", [], shape="wire" if feed.window else "warehouse")

        trees = sqlglot.parse(printed("--feed", feed.key), read="snowflake")

        # A stage and a file format parse as CREATE too, and none falls back to an unread command.
        assert Counter(type(tree).__name__ for tree in trees) == {
            "Create": 7,
            "Copy": 2,
            "Merge": 1,
            "Select": 2,
        }

    @pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
    def test_every_statement_of_a_load_parses_too(self, feed, tmp_path):
        of_a_load = [
            *schema.ddl("snowflake", [feed]),
            statements.create_staging("snowflake", feed, "TEMPORARY"),
            statements.empty_staging("snowflake", feed),
            *statements.fill_staging("snowflake", feed, tmp_path / "rows.ndjson", 1),
            *statements.fill_refused("snowflake", tmp_path / "refused.ndjson", 1),
            statements.merge("snowflake", feed),
            statements.write_history("snowflake"),
        ]

        kinds = Counter(type(parsed(statement)).__name__ for statement in of_a_load)

        assert kinds == {"Create": 5, "Delete": 1, "Put": 2, "Copy": 2, "Merge": 2}

    def test_the_copy_of_the_guardrail_feed_is_the_references_with_its_files(self):
        ours = parsed(statements.copy(FOLLOWUPS, of_stage(FOLLOWUPS), FOLLOWUPS.table, ["dt=2026-11-08/a.ndjson"]))
        reference = parsed(REFERENCE_COPY)

        parameters = copy_parameters(ours)

        assert parameters.pop("FILES") == "FILES = ('dt=2026-11-08/a.ndjson')"
        assert parameters == copy_parameters(reference)
        assert (ours.this, ours.args["files"]) == (reference.this, reference.args["files"])

    @pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
    def test_the_table_has_the_columns_of_the_reference_with_its_types(self, feed):
        columns = parsed(schema.table_ddl("snowflake", feed)).find_all(exp.ColumnDef)
        types = {"TIMESTAMP WITH TZ": exp.DataType.Type.TIMESTAMPTZ, "VARIANT": exp.DataType.Type.VARIANT}
        types |= {"UUID": exp.DataType.Type.UUID, "TEXT": exp.DataType.Type.TEXT}
        types |= {"BOOLEAN": exp.DataType.Type.BOOLEAN}

        assert [(column.name, column.kind.this) for column in columns] == [
            (column.name, types[column.type.value]) for column in feed.columns
        ]

    @pytest.mark.parametrize("feed", WINDOW_FEEDS, ids=lambda feed: feed.key)
    def test_the_copy_of_telemetry_reads_every_wire_path(self, feed):
        copy = statements.copy(feed, of_stage(feed), feed.table, ["a"])

        assert [path for column in feed.columns for path in column.wire if f"$1:{path}" not in copy] == []

    @pytest.mark.parametrize("feed", WINDOW_FEEDS, ids=lambda feed: feed.key)
    def test_the_copy_of_telemetry_calls_no_function_that_snowflake_does_not_list_for_it(self, feed):
        words = re.findall(r"\b[A-Z_]{2,}\b", transformation(feed))

        assert set(words) <= {*COPY_FUNCTIONS, "SELECT", "FROM", "WHEN", "THEN", "ELSE", "END", "IS", "NOT", "NULL"}

    @pytest.mark.habit(
        "The COPY of the reference creates its tables in an account of Snowflake's without a UUID type.",
        "`warehouse_sql` prints columns of UUIDs as TEXT, and as UUID with `--uuid native`.",
    )
    @pytest.mark.parametrize("dialect", ["snowflake", "duckdb"])
    def test_uuids_are_text_unless_the_type_is_asked_for(self, dialect):
        assert "UUID" not in printed("--dialect", dialect)
        assert "follow_up_id UUID NOT NULL PRIMARY KEY" in printed("--dialect", dialect, "--uuid", "native")

    def test_a_load_makes_tables_that_every_account_of_snowflakes_takes(self):
        assert "UUID" not in "".join(schema.ddl("snowflake"))

    def test_it_lists_the_files_that_manifests_list_and_no_other(self):
        put(FOLLOWUPS, "a'b.ndjson", [followup_row()], shape="warehouse")
        whole = put(FOLLOWUPS, "c.ndjson", [followup_row()], shape="warehouse")
        storage.write(whole.replace("c.ndjson", "d.ndjson"), b"{}\n")

        assert "FILES = ('2026/11/08/c.ndjson', '2026/11/08/a''b.ndjson')" in printed("--feed", FOLLOWUPS.key)

    def test_a_lake_that_cannot_be_listed_fails_the_command(self, settings, tmp_path):
        (tmp_path / "file").write_text("in the way")
        settings.INGEST_STAGE_URI = (tmp_path / "file").as_uri()

        with pytest.raises(CommandError, match="cannot list file://.*/file/guardrail_followups") as failure:
            printed("--feed", FOLLOWUPS.key)

        assert failure.value.returncode == 1


@pytest.mark.django_db(transaction=True)
class TestObjectsOfTheHourlyJobs:
    @pytest.mark.habit(
        "A COPY with MATCH_BY_COLUMN_NAME loads the NDJSON that the hourly follow-up job keeps.",
        "The hourly jobs keep their rows under the column names, so the COPY loads them as it stands.",
    )
    @pytest.mark.parametrize("uuids", ["text", "native"])
    def test_they_load_by_column_name(self, uuids, tmp_path):
        record_follow_up(notes="“quoted”")
        uri = export(FOLLOWUPS.key).object_uri

        with opened(tmp_path / "w.duckdb") as connection:
            connection.execute("CREATE SCHEMA analytics")
            connection.execute(schema.table_ddl("duckdb", FOLLOWUPS if uuids == "native" else TEXT_FOLLOWUPS))
            # DuckDB's counterpart of MATCH_BY_COLUMN_NAME, of just what the job wrote.
            file = statements.quoted(uri.removeprefix("file://"))
            connection.execute(f"INSERT INTO {FOLLOWUPS.table} BY NAME SELECT * FROM read_json({file})")  # noqa: S608

        assert table(tmp_path / "w.duckdb", FOLLOWUPS.key) == stored(FOLLOWUPS)

    def test_the_printed_copy_lists_them_by_name_and_leaves_out_those_in_wire_shape(self):
        put(FOLLOWUPS, "of-an-earlier-version.ndjson", [], shape="wire")
        record_follow_up()
        uri = export(FOLLOWUPS.key).object_uri

        copy = printed("--feed", FOLLOWUPS.key)

        assert f"FILES = ('{uri.partition('/guardrail-followups/')[2]}')" in copy
        assert "FROM @analytics.guardrail_followups_lake_stage" in copy
        assert "MATCH_BY_COLUMN_NAME" in copy
        assert "of-an-earlier-version" not in copy

    @pytest.mark.parametrize("uuids", ["text", "native"])
    def test_the_printed_script_and_a_load_go_on_from_each_other_in_either_type(self, uuids, tmp_path):
        record_follow_up()
        export(FOLLOWUPS.key)
        with opened(tmp_path / "w.duckdb") as connection:
            connection.execute("CREATE SCHEMA analytics")
            for title, to_run in script.sections("duckdb", [FOLLOWUPS], is_uuid_native=uuids == "native"):
                if title.startswith(FOLLOWUPS.label) and "reference" not in title:
                    for statement in to_run:
                        connection.execute(statement)
        record_follow_up()
        export(FOLLOWUPS.key)
        target = f"duckdb://{tmp_path}/w.duckdb"

        call_command("load_warehouse", "--target", target, "--feed", FOLLOWUPS.key, stderr=StringIO())

        assert table(tmp_path / "w.duckdb", FOLLOWUPS.key) == stored(FOLLOWUPS)
        call_command("check_parity", "--target", target, "--feed", FOLLOWUPS.key, stdout=StringIO())


class TestDuckDB:
    def test_the_printed_script_loads_and_proves_what_manifests_list(self, tmp_path):
        rows = [quick_order_row(), quick_order_row(guardrail=None, metadata={"platformType": "ü", "n": 2**60 + 1})]
        put(FEEDS["quick_order"], "a.ndjson", rows)
        put(FEEDS["quick_order"], "b.ndjson.gz", rows[1:])
        put(FOLLOWUPS, "a.ndjson", [followup_row(notes="“quoted”\n👍")], shape="warehouse")

        with opened(tmp_path / "w.duckdb") as connection:
            connection.execute("CREATE SCHEMA analytics")
            connection.execute("CREATE TABLE analytics.provider_catalog (provider_id TEXT, platform_slug TEXT)")
            answers = {}
            for title, to_run in script.sections("duckdb", FEEDS.values()):
                if "workflow" in title or "segments" in title:
                    continue
                answers[title] = [connection.execute(statement).fetchall() for statement in to_run]

        assert [answer for title, (answer, *_) in answers.items() if "proof" in title] == [[], []]
        loaded = table(tmp_path / "w.duckdb", "quick_order")
        assert [(row[5], row[7]) for row in (loaded[rows[0]["id"]], loaded[rows[1]["id"]])] == [
            ("tiktok", {"platformType": "ig"}),
            ("ü", {"platformType": "ü", "n": 2**60 + 1}),
        ]
        assert [row[4] for row in table(tmp_path / "w.duckdb", FOLLOWUPS.key).values()] == ["“quoted”\n👍"]

    def test_the_proof_names_the_object_that_lacks_a_row(self, tmp_path):
        rows = [quick_order_row(), quick_order_row()]
        put(FEEDS["quick_order"], "whole.ndjson", rows)
        put(FEEDS["quick_order"], "torn.ndjson", rows[:1], manifest={"rows": 2})

        with opened(tmp_path / "w.duckdb") as connection:
            for title, to_run in script.sections("duckdb", [FEEDS["quick_order"]]):
                found = [connection.execute(statement).fetchall() for statement in to_run]
                if "proof" in title:
                    break

        assert [row[:3] for row in found[0]] == [("2026/11/08/torn.ndjson", 2, 1)]

    @pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
    def test_the_tables_may_be_made_twice(self, feed, tmp_path):
        with opened(tmp_path / "w.duckdb") as connection:
            for statement in schema.ddl("duckdb", [feed]) * 2:
                connection.execute(statement)
            names = [
                name
                for (name,) in connection.execute(f"SELECT column_name FROM (DESCRIBE {feed.table})").fetchall()  # noqa: S608
            ]

        assert names == [column.name for column in feed.columns]


class TestLookerQuery:
    def test_it_is_the_references_byte_for_byte(self):
        assert hashlib.sha256(statements.looker_query().encode()).hexdigest() == REFERENCE_QUERY_SHA256
        assert statements.looker_query() in printed("--feed", FOLLOWUPS.key).replace(";\n\n", ";\n")

    def test_it_returns_on_duckdb_what_python_computes(self, tmp_path):
        now, platforms = datetime.now(UTC), {"p0": "instagram", "p1": "tiktok", "p2": None}
        rows: list[dict[str, Any]] = [
            {"provider": f"p{number % 5}", "action": action, "at": now - timedelta(hours=7 * number, minutes=number)}
            for number, action in zip(
                range(100), itertools.cycle(["pause", "resume", "escalate", "pause"]), strict=False
            )
        ]
        with opened(tmp_path / "w.duckdb") as connection:
            for statement in schema.ddl("duckdb", [FOLLOWUPS]):
                connection.execute(statement)
            connection.execute("CREATE TABLE analytics.provider_catalog (provider_id TEXT, platform_slug TEXT)")
            connection.executemany("INSERT INTO analytics.provider_catalog VALUES (?, ?)", list(platforms.items()))
            connection.executemany(
                "INSERT INTO analytics.guardrail_followups BY NAME"
                " SELECT uuid() AS follow_up_id, ? AS provider_id, ? AS action, CAST(? AS TIMESTAMPTZ) AS created_at",
                [[row["provider"], row["action"], row["at"].isoformat()] for row in rows],
            )
            query = statements.in_dialect(statements.looker_query(), "duckdb")

            answer = connection.execute(
                f"SELECT * REPLACE (epoch_us(last_action_at) AS last_action_at) FROM ({query})"  # noqa: S608
            ).fetchall()

        assert answer == expected(rows, platforms, now)


def stored(feed):
    """The rows of a feed in PostgreSQL by key, as the columns of the reference."""
    rows = (tuple(row.values()) for row in warehouse_rows(feed, model_of(feed)._default_manager.all()))
    return {row[0]: row for row in rows}


def expected(rows, platforms, now):
    """The query's answer, computed without SQL: providers with an action in the last 14 days, the latest first."""
    young = [row for row in rows if row["at"] >= now - timedelta(days=14)]
    groups = {
        provider: [row for row in young if row["provider"] == provider] for provider in {r["provider"] for r in young}
    }
    answer = []
    for provider, group in groups.items():
        counts = Counter(row["action"] for row in group)
        last = max(row["at"] for row in group)
        microseconds = (last - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        slug = platforms.get(provider)
        answer.append((provider, slug, counts["pause"], counts["resume"], counts["escalate"], microseconds))
    return sorted(answer, key=lambda row: row[-1], reverse=True)
