"""Writes the generated documentation: ``python -m docs.generate``, or ``make docs``.

``docs/feeds.md`` is derived from the declarations in ``reporting/feeds/declarations.py``. Nothing in it depends on the
time, the machine or the settings, so that a test can compare the committed file with what would be written now.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from reporting.feeds import FEEDS, Column, ColumnType, Feed
from reporting.feeds.checksums import ID_SUM_DIGITS, id_number, id_sum_sql

FEEDS_PAGE = Path(__file__).with_name("feeds.md")
_EXAMPLE_KEY = "0000002a-8f0e-4a4b-9d57-1c2f6b0a7e94"
_INTRODUCTION = """\
<!-- Written by `make docs` out of reporting/feeds/declarations.py; change that file, not this one. -->

# Feeds

A feed is one table of this installation that leaves it for the warehouse. Every row leaves in one of two shapes, and
both are derived from the same declaration:

* the **wire shape** (camelCase, nested) in REST answers, webhooks and telemetry NDJSON;
* the **warehouse shape** (the column names below, flat) in CSV files and on the warehouse stage.

The tables list the columns and the wire fields in the order in which they are written.

Times leave as ISO 8601 in UTC with a `Z` and six decimals. A column that is not nullable is never NULL. Where a column
names several wire paths, the first that is not null counts.
"""
_ID_SUM = """\
## idSum

The manifest beside each NDJSON object carries `idSum`, which proves together with `rows` that a load is complete.
It is the sum of one number per row: the first {digits} hexadecimal digits of the row's key, read as a whole number.
For the key `{key}` that number is {number}.

The order of the rows does not matter. A row that is missing or doubled changes the count, and a foreign row in the
place of another changes the sum, unless the two keys share their first {digits} digits.

The following expressions give the same sum in PostgreSQL, Snowflake and DuckDB. Apply them to the rows of one object,
before rows of several objects are merged, since windows overlap on purpose.
"""


def main() -> None:
    """Write every generated page."""
    FEEDS_PAGE.write_text(render(), encoding="utf-8")


def render() -> str:
    """The content of ``docs/feeds.md``."""
    sections = [_INTRODUCTION, *map(_feed_section, FEEDS.values()), _id_sum_section()]
    return "\n".join(sections)


def _feed_section(feed: Feed) -> str:
    facts = "\n".join(f"* {name}: {value}" for name, value in _facts(feed))
    columns = _table(("Column", "Type", "Nullable", "Wire path", "Meaning"), map(_column_cells, feed.columns))
    wire = _table(("Wire path", "Read from"), ((f"`{field.path}`", f"`{field.source}`") for field in feed.wire))
    return (
        f"## {feed.label}\n\n{facts}\n\n### Columns\n\n{columns}\n\n### Wire shape, in order\n\n{wire}\n{_notes(feed)}"
        f"\n### From wire to warehouse\n\n{_mapping(feed)}\n"
    )


def runbook_of(feed: Feed) -> str:
    """The file name of a feed's runbook."""
    return f"{feed.folder}{'-telemetry' if feed.window else ''}-export.md"


def _mapping(feed: Feed) -> str:
    values = [
        (f"`{field.path}`", ", ".join(f"`{name}`" for name in names) or "—")
        for field in feed.wire
        for names in [[column.name for column in feed.columns if _is_read_from(column, field.path)]]
    ]
    table = _table(("Wire path", "Warehouse column"), values)
    runbooks = f"[its runbook](runbooks/{runbook_of(feed)}) and [the warehouse](runbooks/warehouse.md)"
    return f"{table}\n\n`python manage.py warehouse_sql --feed {feed.key}` prints the load; see {runbooks}."


def _is_read_from(column: Column, path: str) -> bool:
    """Whether a column takes its value from the wire field at ``path``, or from inside of it."""
    return any(wire == path or wire.startswith(f"{path}.") for wire in column.wire)


def _facts(feed: Feed) -> Iterator[tuple[str, str]]:
    yield "Feed", f"`{feed.key}`"
    yield "Model", f"`{feed.model}`"
    yield "Warehouse table", f"`{feed.table}`"
    yield "Key", f"`{feed.key_column}`"
    yield "Freshness", f"the newest `{feed.time_column}`"
    yield "Schedule", _schedule(feed)
    yield "Window", _window(feed)
    yield "Objects", f"`{feed.folder}/YYYY/MM/DD/<UTC time>-<run>.ndjson`, each with a manifest beside it"
    if feed.count_header:
        yield "Header with the number of rows", f"`{feed.count_header}`"


def _schedule(feed: Feed) -> str:
    minutes = int(feed.interval.total_seconds()) // 60
    return f"minute `{feed.schedule_minutes}` of every hour, as crontab writes it: one run every {minutes} minutes"


def _window(feed: Feed) -> str:
    if feed.window is None:
        return "none; each run exports what came after the one before"
    return f"the newest {feed.window:,} rows, extended back to the first row that no earlier object holds"


def _column_cells(column: Column) -> tuple[str, ...]:
    paths = ", else ".join(f"`{path}`" for path in column.wire)
    return f"`{column.name}`", column.type.value, "yes" if column.nullable else "no", paths, column.help


def _notes(feed: Feed) -> str:
    notes = [f"`{name}` as a whole is null when all of its values are." for name in sorted(feed.optional_groups)]
    if any(column.type is ColumnType.JSON for column in feed.columns):
        notes.append("A source with `__` in it is a path into the event as the client sent it.")
    return "".join(f"\n{note}\n" for note in notes)


def _id_sum_section() -> str:
    introduction = _ID_SUM.format(digits=ID_SUM_DIGITS, key=_EXAMPLE_KEY, number=id_number(_EXAMPLE_KEY))
    keys = dict.fromkeys(feed.key_column for feed in FEEDS.values())
    return "\n".join([introduction, *(f"For `{key}`:\n\n```sql\n{id_sum_sql(key)}\n```\n" for key in keys)])


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    main()
