"""Writes the generated documentation: ``python -m docs.generate``, or ``make docs``.

``docs/feeds.md`` and the feeds' part of ``.env.example`` are derived from the declarations in
``reporting/feeds/declared/``, and the tables of ``docs/switching-over.md`` from ``smplat/renamed.py`` and from the
tests, and that of ``docs/runbooks/health.md`` from the kinds of findings. Nothing in them depends on the time, the
machine or the settings, so that a test can compare the committed files with what would be written now.
"""

import ast
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap

import django

from reporting.feeds import FEEDS, Column, ColumnType, Feed
from reporting.feeds.checksums import ID_SUM_DIGITS, id_number, id_sum_sql
from smplat.renamed import ALIASES, RETIRED

ROOT = Path(__file__).parent.parent
FEEDS_PAGE = Path(__file__).with_name("feeds.md")
ENV_EXAMPLE = Path(__file__).parent.with_name(".env.example")
SWITCHING_PAGE = Path(__file__).with_name("switching-over.md")
HEALTH_PAGE = Path(__file__).with_name("runbooks") / "health.md"
_RULE_LENGTH = 120
_FEEDS_TITLE, _FEEDS_END = "The feeds; written by `make docs`", "End of the feeds"
_EXAMPLE_KEY = "0000002a-8f0e-4a4b-9d57-1c2f6b0a7e94"
_INTRODUCTION = """\
<!-- Written by `make docs` out of reporting/feeds/declared/; change the files there, not this one. -->

# Feeds

A feed is one table of this installation that leaves it for the warehouse. Every row leaves in one of two shapes, and
both are derived from the same declaration:

* the **wire shape** (camelCase, nested) in REST answers, webhooks and telemetry NDJSON;
* the **warehouse shape** (the column names below, flat) in CSV files, in the NDJSON of the hourly jobs and on the
  warehouse stage.

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
    # The kinds of findings lie beside their model, which Django has to know before it is imported.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smplat.settings")
    os.environ.setdefault("DEBUG", "1")
    django.setup()
    FEEDS_PAGE.write_text(render(), encoding="utf-8")
    for page, renew in ((ENV_EXAMPLE, render_env), (SWITCHING_PAGE, render_switching), (HEALTH_PAGE, render_health)):
        page.write_text(renew(page.read_text(encoding="utf-8")), encoding="utf-8")


def render() -> str:
    """The content of ``docs/feeds.md``."""
    sections = [_INTRODUCTION, *map(_feed_section, FEEDS.values()), _id_sum_section()]
    return "\n".join(sections)


def render_env(text: str) -> str:
    """``text``, the content of ``.env.example``, with the feeds' part as the declarations have it now."""
    before, _, rest = text.partition(_rule(_FEEDS_TITLE))
    _, _, after = rest.partition(_rule(_FEEDS_END))
    blocks = [block for feed in FEEDS.values() for block in (_rule(feed.label), *map(_env_block, _settings(feed)))]
    return before + "\n\n".join([_rule(_FEEDS_TITLE), *blocks, _rule(_FEEDS_END)]) + after


def render_switching(text: str) -> str:
    """``text``, the content of ``docs/switching-over.md``, with its tables as the code has them now."""
    renamed = [(f"`{old}`", " and ".join(f"`{name}`" for name in names)) for old, names in ALIASES.items()]
    retired = [(f"`{old}`", f"Nothing: {reason}.") for old, reason in RETIRED.items()]
    text = _between(text, "settings", _table(("Old name", "Read as"), [*renamed, *retired]))
    return _between(text, "habits", "\n\n".join(_habit_sections(ROOT / "tests")))


def render_health(text: str) -> str:
    """``text``, the content of ``docs/runbooks/health.md``, with the table of findings as the code has it now."""
    from reporting.models.findings import Kind

    rows = [
        (f"`{kind.value}`", kind.nature.severity.value, kind.nature.when, kind.nature.button or "–") for kind in Kind
    ]
    return _between(text, "findings", _table(("Kind", "Severity", "When", "Button"), rows))


def _habit_sections(tests: Path) -> Iterator[str]:
    """A heading and a table for each module of tests that shows habits."""
    for path in sorted(tests.rglob("test_*.py")):
        rows = [(habit, answer, f"`{name}`") for habit, answer, name in _habits(path)]
        if rows:
            heading = f"### `{path.relative_to(tests.parent).as_posix()}`"
            yield f"{heading}\n\n{_table(('The replaced system', 'SMPLAT', 'Test'), rows)}"


def _habits(path: Path) -> Iterator[tuple[str, str, str]]:
    """The arguments of each ``@pytest.mark.habit`` of a module, with the name of its test, in their order."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.habit":
                    habit, answer = map(ast.literal_eval, decorator.args)
                    yield habit, answer, node.name


def _between(text: str, name: str, content: str) -> str:
    """``text`` with ``content`` in place of what stands between the two comments of ``name``."""
    start, end = f"<!-- {name}: written by `make docs` -->", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n\n{content}\n\n{end}{after}"


def _rule(title: str) -> str:
    return f"# --- {title} ".ljust(_RULE_LENGTH, "-")


def _env_block(setting: tuple[str, str]) -> str:
    name, description = setting
    lines = wrap(description, _RULE_LENGTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*(f"# {line}" for line in lines), f"# {name}="])


def _settings(feed: Feed) -> Iterator[tuple[str, str]]:
    """The settings of a feed's job, each with what it does, what is allowed, and its default."""
    if feed.window is not None:
        yield from _window_settings(feed)
    else:
        yield from _incremental_settings(feed)
    if feed.has_status_url:
        yield (
            feed.status_url_setting,
            "Another status for the desk to show, read within two seconds. http(s)://…; default: the one that this "
            "installation wrote last.",
        )
    yield feed.slack_setting, "Slack incoming webhook for the runs. http(s)://…; default: SLACK_WEBHOOK_URL."


def _window_settings(feed: Feed) -> Iterator[tuple[str, str]]:
    prefix = feed.setting_prefix
    yield (
        f"{prefix}_BUCKET",
        "Bucket of the job's objects: a name without s3://. Default: the objects lie under LAKE_URI.",
    )
    yield (
        f"{prefix}_S3_PREFIX",
        "First part of the objects' keys in that bucket. Any text; needs the bucket; default: none.",
    )
    yield (
        f"{prefix}_STATUS_S3_URI",
        "Where the status JSON is written: s3://bucket/key or file:///absolute/path. "
        f"Default: {feed.status_name} under LAKE_URI.",
    )
    yield _workflow_setting(feed)


def _workflow_setting(feed: Feed) -> tuple[str, str]:
    return (
        f"{feed.setting_prefix}_WORKFLOW_URL",
        "The workflowUrl of the status. http(s)://…; default: the page of the run on this desk.",
    )


def _incremental_settings(feed: Feed) -> Iterator[tuple[str, str]]:
    if feed.webhook_setting:
        yield (
            feed.webhook_setting,
            "Where the rows are posted every hour; it may carry a secret. The shim of an installation of this project "
            f"takes them at https://…/api/v1/ingest/{feed.folder}. http(s)://…; default: nothing is posted.",
        )
    yield (
        f"{feed.setting_prefix}_CURSOR_S3_URI",
        "Copy of the job's checkpoint, for others to read; the database's counts. s3://bucket/key or "
        f"file:///absolute/path. Default: {feed.checkpoint_name} under LAKE_URI.",
    )
    yield _workflow_setting(feed)


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
    name = f"`{feed.folder}/YYYY/MM/DD/<UTC time>-<run>.ndjson`"
    yield "Objects", f"{name}, in {feed.lake_shape} shape, each with a manifest beside it"
    if feed.window is not None:
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
