"""The warehouse's tables, derived from the feeds' declarations.

The four tables mirror the reference's. Two more keep account of the load: ``analytics.load_history`` has a row for each
object that was looked at, and ``analytics.refused_rows`` one for each row that did not fit its table.
"""

from collections.abc import Iterable
from dataclasses import replace

from reporting.feeds import FEEDS, Column, ColumnType, Feed

HISTORY, REFUSED = "analytics.load_history", "analytics.refused_rows"
# The names of the reference's types in each dialect. DuckDB's VARIANT cannot be compared yet, so JSON stands for it.
_TYPES = {
    "snowflake": {ColumnType.TIMESTAMP: "TIMESTAMP_TZ", ColumnType.JSON: "VARIANT"},
    "duckdb": {ColumnType.TIMESTAMP: "TIMESTAMPTZ", ColumnType.JSON: "JSON"},
}
# ROWS is a reserved word of Snowflake's; quoted in capitals it is the same name in both dialects.
ROWS = '"ROWS"'
_HISTORY_COLUMNS = (
    ("object", "TEXT NOT NULL PRIMARY KEY"),
    ("feed", "TEXT NOT NULL"),
    ("sha256", "TEXT"),
    ("bytes", "BIGINT"),
    (ROWS, "BIGINT"),
    ("id_sum", "BIGINT"),
    ("loaded_rows", "BIGINT NOT NULL"),
    ("refused_rows", "BIGINT NOT NULL"),
    ("state", "TEXT NOT NULL"),
    ("reason", "TEXT"),
)
_REFUSED_COLUMNS = (
    ("object", "TEXT NOT NULL"),
    ("line", "BIGINT NOT NULL"),
    ("feed", "TEXT NOT NULL"),
    ("reason", "TEXT NOT NULL"),
    ("raw", "TEXT NOT NULL"),
)


def ddl(dialect: str, feeds: Iterable[Feed] = FEEDS.values()) -> list[str]:
    """Statements that make what is not there yet; they may be repeated.

    Args:
        dialect: ``duckdb`` or ``snowflake``.
        feeds: whose tables are made, beside those of the account.

    Returns:
        The schema, a table for each feed, the load history and the refused rows.
    """
    time = _TYPES[dialect][ColumnType.TIMESTAMP]
    # Not every account of Snowflake's has the type UUID.
    shown = feeds if dialect == "duckdb" else map(with_text_uuids, feeds)
    return [
        "CREATE SCHEMA IF NOT EXISTS analytics",
        *(table_ddl(dialect, feed) for feed in shown),
        _table(HISTORY, (*_HISTORY_COLUMNS, ("loaded_at", f"{time} NOT NULL"))),
        _table(REFUSED, (*_REFUSED_COLUMNS, ("seen_at", f"{time} NOT NULL"))),
    ]


def with_text_uuids(feed: Feed) -> Feed:
    """The feed with TEXT in place of UUID, which every warehouse has."""
    columns = (
        replace(column, type=ColumnType.TEXT) if column.type is ColumnType.UUID else column for column in feed.columns
    )
    return replace(feed, columns=tuple(columns))


def table_ddl(dialect: str, feed: Feed) -> str:
    """The statement that makes a feed's table where it is not there yet."""
    return _table(feed.table, ((column.name, _definition(dialect, feed, column)) for column in feed.columns))


def type_of(dialect: str, column: Column) -> str:
    """The name of a column's type in ``dialect``."""
    return _TYPES[dialect].get(column.type, column.type.value)


def _definition(dialect: str, feed: Feed, column: Column) -> str:
    suffix = "" if column.nullable else " NOT NULL"
    key = " PRIMARY KEY" if column.name == feed.key_column else ""
    return f"{type_of(dialect, column)}{suffix}{key}"


def _table(name: str, columns: Iterable[tuple[str, str]]) -> str:
    lines = ",\n".join(f"  {column} {definition}" for column, definition in columns)
    return f"CREATE TABLE IF NOT EXISTS {name} (\n{lines}\n)"
