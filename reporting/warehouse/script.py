"""What ``manage.py warehouse_sql`` prints: the statements of a load, to be read, or run by hand."""

from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import unquote

from reporting.feeds import Feed
from reporting.warehouse import objects, schema, statements
from reporting.warehouse.objects import MismatchError
from reporting.warehouse.statements import StagedObject

#: How many names Snowflake takes in one FILES list.
MAX_FILES = 1_000
# Stands for an object where the stage holds none yet.
_EXAMPLES = {
    True: "YYYY/MM/DD/<timestamp>-<run>.ndjson",
    False: "dt=YYYY-MM-DD/<message>.ndjson",
}
_ACCOUNT_TITLE = "Account of the load: what was loaded, and what was refused"
_LOOKER_TITLE = "Guardrail follow-ups by provider, the last 14 days (the reference's query)"


def sections(dialect: str, feeds: Iterable[Feed]) -> Iterator[tuple[str, list[str]]]:
    """Titles and statements, in the order in which they are run.

    Args:
        dialect: ``duckdb`` or ``snowflake``.
        feeds: whose load is wanted.

    Raises:
        reporting.lake.storage.LakeError: the lake cannot be listed or read.
    """
    first, *_, history, refused = schema.ddl(dialect, [])
    yield _ACCOUNT_TITLE, [first, history, refused]
    for feed in feeds:
        found = staged_objects(feed)
        steps = _snowflake(feed, found) if dialect == "snowflake" else _duckdb(feed, found)
        for title, step in steps:
            yield f"{feed.label}: {title}", step
    yield _LOOKER_TITLE, [statements.in_dialect(statements.looker_query(), dialect).rstrip().rstrip(";")]


def text(dialect: str, feeds: Iterable[Feed]) -> Iterator[str]:
    """The sections as a script: a comment with the title, then the statements. Raises what :func:`sections` does."""
    for title, to_run in sections(dialect, feeds):
        yield f"-- {title}\n\n" + "".join(f"{statement};\n\n" for statement in to_run)


def stage_uri(feed: Feed) -> str:
    """The folder of the lake on which a feed's stage lies: of a feed that webhooks carry, the ingestion shim's."""
    shape = "wire" if statements.has_wire_stage(feed) else "warehouse"
    return next(uri for uri, of_shape in objects.folders(feed).items() if of_shape == shape)


def staged_objects(feed: Feed) -> list[StagedObject]:
    """The newest objects of a feed's stage that manifests list; where there is none, one that shows the form.

    Raises:
        reporting.lake.storage.LakeError: the lake cannot be listed or read.
    """
    folder = stage_uri(feed)
    uris = sorted((uri for uri in objects.listed(feed) if uri.startswith(f"{folder}/")), reverse=True)
    found = [item for item in (_staged(feed, folder, uri) for uri in islice(uris, MAX_FILES)) if item]
    key = _EXAMPLES[statements.has_wire_stage(feed)]
    return found or [StagedObject(key, f"{folder}/{key}", 0, 0)]


def _staged(feed: Feed, folder: str, uri: str) -> StagedObject | None:
    try:
        receipt = objects.receipt_of(feed, uri)
    except MismatchError:
        return None
    return StagedObject(unquote(uri.removeprefix(f"{folder}/")), uri, receipt.rows, receipt.idSum)


def _snowflake(feed: Feed, found: list[StagedObject]) -> Iterator[tuple[str, list[str]]]:
    copy = statements.copy_by_path if statements.has_wire_stage(feed) else statements.copy_by_name
    files = [item.key for item in found]
    yield "table", [schema.table_ddl("snowflake", feed)]
    yield "file format and stage (the storage integration is yours to make)", _stage(feed)
    yield "COPY, for a stage that never repeats a row", [copy(feed, feed.table, files)]
    yield (
        "COPY into a staging table, for a stage that repeats rows (instead of the COPY above)",
        [
            statements.create_staging("snowflake", feed, "TRANSIENT"),
            copy(feed, statements.staging_name("snowflake", feed), files),
        ],
    )
    yield from _ending("snowflake", feed, found)


def _stage(feed: Feed) -> list[str]:
    uri = stage_uri(feed)
    url = uri if uri.startswith("s3://") else f"s3://BUCKET/{uri.rpartition('/')[2]}"
    return [
        "CREATE FILE FORMAT IF NOT EXISTS analytics.ndjson TYPE = 'JSON' STRIP_OUTER_ARRAY = FALSE",
        f"CREATE STAGE IF NOT EXISTS {statements.stage_name(feed)}\n  URL = {statements.quoted(f'{url}/')}\n"
        "  STORAGE_INTEGRATION = smplat_lake\n  FILE_FORMAT = (FORMAT_NAME = 'analytics.ndjson')",
    ]


def _duckdb(feed: Feed, found: list[StagedObject]) -> Iterator[tuple[str, list[str]]]:
    yield "table", [schema.table_ddl("duckdb", feed)]
    yield (
        "objects into a staging table",
        [
            statements.create_staging("duckdb", feed, "TEMPORARY"),
            statements.insert_from_objects(feed, [item.uri for item in found]),
        ],
    )
    yield from _ending("duckdb", feed, found)


def _ending(dialect: str, feed: Feed, found: list[StagedObject]) -> Iterator[tuple[str, list[str]]]:
    check = "proof: the objects that the staging table does not hold as their manifests say; go on when there is none"
    yield check, [statements.receipt_check(dialect, feed, found)]
    yield "MERGE by the key", [statements.merge(dialect, feed)]
