"""Plain rows: those whose every value is spelled as the exporters spell it, which DuckDB reads and checks by itself.

Nearly every object has no others, and DuckDB reads one in a quarter of the time that Python takes. Whether another row
fits is for :func:`reporting.feeds.from_wire.warehouse_row` to say, and then about the whole object.
"""

from pathlib import Path

from reporting.feeds import Column, ColumnType, Feed
from reporting.feeds.checksums import id_sum_of
from reporting.warehouse.reader import TIME, UUID, in_shape, max_length
from reporting.warehouse.schema import type_of
from reporting.warehouse.statements import MIN_BUFFER_BYTES, quoted, staging_name

_DIALECT = "duckdb"
# DuckDB takes these for numbers, and JSON has none of them. A text that looks the same is left to Python.
_NO_NUMBER = r"[:,\[]-?(?:NaN|Inf)"


def fill_staging(feed: Feed, shape: str, path: Path, max_bytes: int) -> str:
    """The statement that brings the rows of a file into the staging table; one that is not plain has no key there.

    Args:
        feed: the feed of the rows.
        shape: the shape of the rows, ``wire`` or ``warehouse``.
        path: the file, which has a row a line.
        max_bytes: its longest line, in bytes.
    """
    shaped = in_shape(feed, shape)
    tops = dict.fromkeys(path.partition(".")[0] for column in shaped.columns for path in column.wire)
    types = ", ".join(f"{quoted(name)}: 'JSON'" for name in tops)
    values = {column.name: _value(column) for column in shaped.columns}
    is_plain = "\n    AND ".join(condition for column in shaped.columns for condition in _conditions(shaped, column))
    values[feed.key_column] = f"CASE WHEN {is_plain}\n    THEN {values[feed.key_column]} END"
    return (
        f"INSERT INTO {staging_name(_DIALECT, feed)} ({', '.join(values)})\n"
        f"SELECT {', '.join(values.values())}\n"
        f"FROM read_json({quoted(str(path))}, format = 'newline_delimited', ignore_errors = TRUE, "
        f"maximum_object_size = {max(max_bytes, MIN_BUFFER_BYTES)}, columns = {{{types}}})"
    )


def proof(feed: Feed) -> str:
    """The query for what the staging table holds: rows with a key, how many keys, and their idSum."""
    key = feed.key_column
    return (
        f"SELECT COUNT({key}), COUNT(DISTINCT {key}), COALESCE({id_sum_of(_DIALECT, key)}, 0) "  # noqa: S608
        f"FROM {staging_name(_DIALECT, feed)}"
    )


def _conditions(feed: Feed, column: Column) -> list[str]:
    """What holds for a row whose value of ``column`` is plain."""
    json = _json(column)
    fits = _fits(feed, column).format(json=json, value=_value(column))
    groups = [_at(path.rpartition(".")[0]) for path in column.wire if "." in path]
    return [
        f"COALESCE({fits}, {'TRUE' if column.nullable else 'FALSE'})",
        *(f"COALESCE(STARTS_WITH({group}, '{{'), TRUE)" for group in groups),
    ]


def _fits(feed: Feed, column: Column) -> str:
    if column.type is ColumnType.TEXT:
        maximum = max_length(feed, column)
        return "STARTS_WITH({json}, '\"')" + (f" AND LENGTH({{value}}) <= {maximum}" if maximum else "")
    return _FITS[column.type]


def _spelled(pattern: str) -> str:
    escaped = pattern.replace("{", "{{").replace("}", "}}")
    literal = quoted(f'"{escaped}"')
    return f"REGEXP_FULL_MATCH({{json}}, {literal})"


_FITS = {
    ColumnType.UUID: _spelled(UUID.pattern),
    ColumnType.TIMESTAMP: f"{_spelled(TIME.pattern)} AND {{value}} IS NOT NULL",
    ColumnType.BOOLEAN: "{json} IN ('true', 'false')",
    ColumnType.JSON: f"NOT REGEXP_MATCHES({{json}}, {quoted(_NO_NUMBER)})",
}


def _value(column: Column) -> str:
    json = _json(column)
    if column.type is ColumnType.JSON:
        return f"CAST({json} AS JSON)"
    text = f"({json} ->> '$')"
    return text if column.type is ColumnType.TEXT else f"TRY_CAST({text} AS {type_of(_DIALECT, column)})"


def _json(column: Column) -> str:
    """The JSON of a column's value, as text; NULL for null."""
    values = [_at(path) for path in column.wire]
    return values[0] if len(values) == 1 else f"COALESCE({', '.join(values)})"


def _at(path: str) -> str:
    top, _, rest = path.partition(".")
    if not rest:
        return f'CAST("{top}" AS VARCHAR)'
    return f"""NULLIF(CAST("{top}" -> '$.{rest}' AS VARCHAR), 'null')"""
