"""What ``manage.py warehouse_sql`` prints: the statements of a load, to be read, or run by hand."""

from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import unquote

from reporting.feeds import Feed
from reporting.warehouse import objects, schema, statements
from reporting.warehouse.objects import MismatchError
from reporting.warehouse.statements import Stage, StagedObject

#: How many names Snowflake takes in one FILES list.
MAX_FILES = 1_000
# Stand for an object where a stage holds none yet.
_BY_JOB, _BY_SHIM = "YYYY/MM/DD/<timestamp>-<run>.ndjson", "dt=YYYY-MM-DD/<message>.ndjson"
_ACCOUNT_TITLE = "Account of the load: what was loaded, and what was refused"
_LOOKER_TITLE = "Guardrail follow-ups by provider, the last 14 days (the reference's query)"


def sections(dialect: str, feeds: Iterable[Feed], *, is_uuid_native: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Titles and statements, in the order in which they are run.

    Args:
        dialect: ``duckdb`` or ``snowflake``.
        feeds: whose load is wanted.
        is_uuid_native: whether columns of UUIDs have the type UUID, rather than TEXT.

    Raises:
        reporting.lake.storage.LakeError: the lake cannot be listed or read.
    """
    first, *_, history, refused = schema.ddl(dialect, [])
    yield _ACCOUNT_TITLE, [first, history, refused]
    for feed in feeds if is_uuid_native else map(schema.with_text_uuids, feeds):
        yield f"{feed.label}: table", [schema.table_ddl(dialect, feed)]
        for stage, found in staged(feed):
            steps = _snowflake(feed, stage, found) if dialect == "snowflake" else _duckdb(feed, stage, found)
            for title, step in steps:
                yield f"{feed.label}: {title}", step
    yield _LOOKER_TITLE, [statements.in_dialect(statements.looker_query(), dialect).rstrip().rstrip(";")]


def text(dialect: str, feeds: Iterable[Feed], *, is_uuid_native: bool) -> Iterator[str]:
    """The sections as a script: a comment with the title, then the statements. See :func:`sections`."""
    for title, to_run in sections(dialect, feeds, is_uuid_native=is_uuid_native):
        yield f"-- {title}\n\n" + "".join(f"{statement};\n\n" for statement in to_run)


def stages(feed: Feed) -> list[Stage]:
    """The folders of the lake that a feed is loaded from.

    Its job's comes first. A feed that webhooks carry also has the ingestion shim's, which bears the reference's name.
    """
    by_job, by_shim = objects.folders(feed)
    if feed.window is not None:
        return [Stage(f"{feed.table}_stage", by_job, feed.lake_shape, _BY_JOB)]
    return [
        Stage(f"{feed.table}_lake_stage", by_job, feed.lake_shape, _BY_JOB),
        Stage(f"{feed.table}_stage", by_shim, "warehouse", _BY_SHIM),
    ]


def staged(feed: Feed) -> list[tuple[Stage, list[StagedObject]]]:
    """The stages of a feed that hold objects, with those; where none does, the first, with one that shows the form.

    Raises:
        reporting.lake.storage.LakeError: the lake cannot be listed or read.
    """
    of_feed = stages(feed)
    found = [(stage, items) for stage in of_feed if (items := staged_objects(feed, stage))]
    first = of_feed[0]
    return found or [(first, [StagedObject(first.example, f"{first.uri}/{first.example}", 0, 0)])]


def staged_objects(feed: Feed, stage: Stage) -> list[StagedObject]:
    """The newest objects of a stage that manifests list in its shape.

    Raises:
        reporting.lake.storage.LakeError: the lake cannot be listed or read.
    """
    uris = sorted((uri for uri in objects.listed(feed) if uri.startswith(f"{stage.uri}/")), reverse=True)
    return [item for item in (_staged(feed, stage, uri) for uri in islice(uris, MAX_FILES)) if item]


def _staged(feed: Feed, stage: Stage, uri: str) -> StagedObject | None:
    try:
        receipt = objects.receipt_of(feed, uri)
    except MismatchError:
        return None
    if receipt.shape != stage.shape:
        return None
    return StagedObject(unquote(uri.removeprefix(f"{stage.uri}/")), uri, receipt.rows, receipt.idSum)


def _snowflake(feed: Feed, stage: Stage, found: list[StagedObject]) -> Iterator[tuple[str, list[str]]]:
    files = [item.key for item in found]
    yield "file format and stage (the storage integration is yours to make)", _stage(stage)
    yield "COPY, where no row comes twice", [statements.copy(feed, stage, feed.table, files)]
    yield (
        "COPY into a staging table, where rows may come twice (instead of the COPY above)",
        [
            statements.create_staging("snowflake", feed, "TRANSIENT"),
            statements.copy(feed, stage, statements.staging_name("snowflake", feed), files),
        ],
    )
    yield from _ending("snowflake", feed, found)


def _stage(stage: Stage) -> list[str]:
    url = stage.uri if stage.uri.startswith("s3://") else f"s3://BUCKET/{stage.uri.rpartition('/')[2]}"
    return [
        "CREATE FILE FORMAT IF NOT EXISTS analytics.ndjson TYPE = 'JSON' STRIP_OUTER_ARRAY = FALSE",
        f"CREATE STAGE IF NOT EXISTS {stage.name}\n  URL = {statements.quoted(f'{url}/')}\n"
        "  STORAGE_INTEGRATION = smplat_lake\n  FILE_FORMAT = (FORMAT_NAME = 'analytics.ndjson')",
    ]


def _duckdb(feed: Feed, stage: Stage, found: list[StagedObject]) -> Iterator[tuple[str, list[str]]]:
    yield (
        "objects into a staging table",
        [
            statements.create_staging("duckdb", feed, "TEMPORARY"),
            statements.insert_from_objects(feed, stage.shape, [item.uri for item in found]),
        ],
    )
    yield from _ending("duckdb", feed, found)


def _ending(dialect: str, feed: Feed, found: list[StagedObject]) -> Iterator[tuple[str, list[str]]]:
    check = "proof: the objects that the staging table does not hold as their manifests say; go on when there is none"
    yield check, [statements.receipt_check(dialect, feed, found)]
    yield "MERGE by the key", [statements.merge(dialect, feed)]
