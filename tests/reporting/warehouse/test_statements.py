"""The statements of the warehouse: Snowflake's parse, DuckDB's run, and both say what the reference says."""

import hashlib
import itertools
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
from reporting.lake import storage
from reporting.warehouse import schema, script, statements
from tests.reporting.warehouse.builders import followup_row, opened, put, quick_order_row, table

FOLLOWUPS = FEEDS["guardrail_followups"]
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
        ours = parsed(statements.copy_by_name(FOLLOWUPS, FOLLOWUPS.table, ["dt=2026-11-08/a.ndjson"]))
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
        copy = statements.copy_by_path(feed, feed.table, ["a"])

        assert [path for column in feed.columns for path in column.wire if f"$1:{path}" not in copy] == []

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
