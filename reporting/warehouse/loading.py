"""The load: what manifests list and the warehouse has not, object by object.

Each object is brought to this machine once, while its bytes are held against the manifest. DuckDB reads plain rows by
itself. Of any other object, and for Snowflake, the rows are checked one by one and written to files in warehouse shape.
One transaction merges the rows, keeps the refused ones aside and notes the object in the load history. So a load may be
stopped at any point, repeated, or run beside another one.
"""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from reporting.feeds import FEEDS, Feed
from reporting.lake import storage
from reporting.lake.manifests import Receipt
from reporting.warehouse import objects, plain, statements, tables
from reporting.warehouse.objects import Fetched, MismatchError
from reporting.warehouse.schema import HISTORY, REFUSED
from reporting.warehouse.staging import prove, stage
from reporting.warehouse.targets import Target, TargetError, connect, execute_all
from smplat.lib.times import iso
from smplat.lib.words import counted

logger = logging.getLogger(__name__)
LOADED, QUARANTINED = "loaded", "quarantined"
_IS_THERE = (
    "SELECT COUNT(*) FROM information_schema.tables"
    " WHERE LOWER(table_schema) = 'analytics' AND LOWER(table_name) = 'load_history'"
)
_LOADED_OBJECTS = f"SELECT object FROM {HISTORY} WHERE feed = ? AND state = '{LOADED}'"  # noqa: S608 - names of ours
_FORGET_REFUSED = f"DELETE FROM {REFUSED} WHERE object = ?"  # noqa: S608 - a name of ours


@dataclass
class Summary:
    """What a load, or a dry run, came to for one feed.

    Attributes:
        feed: the feed's key.
        objects: how many objects were loaded, or would be.
        rows: how many rows went into the table, or are to be read; one that was there before counts too.
        bytes: how many bytes of the lake they are.
        refused: how many rows were kept aside.
        problems: a sentence for each object that was not loaded.
    """

    feed: str
    objects: int = 0
    rows: int = 0
    bytes: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Loaded:
    """An object that was loaded: what its manifest says, how many rows fit their table, and how many do not."""

    receipt: Receipt
    rows: int
    refused: int = 0


class _NotPlainError(Exception):
    """An object has a row that is not plain, or a key twice; what comes of that, Python says."""


def load(url: str, feeds: Iterable[Feed], say: Callable[[str], None]) -> list[Summary]:
    """Load what is new.

    Args:
        url: the warehouse, see :func:`reporting.warehouse.targets.connect`.
        feeds: the feeds to load.
        say: called with a line for each object, as it is done.

    Returns:
        A summary of each feed.

    Raises:
        TargetError: the warehouse cannot be used; the objects that were loaded before stay loaded.
        reporting.lake.storage.LakeError: the lake cannot be listed.
        OSError: the spool cannot be written.
    """
    feeds = list(feeds)
    with connect(url) as target:
        tables.make(target, feeds)
        return [_load_feed(target, feed, say) for feed in feeds]


def measure(url: str, feeds: Iterable[Feed]) -> list[Summary]:
    """Say what :func:`load` would load, by the manifests, and change nothing. Raises what :func:`load` does."""
    with connect(url) as target:
        return [_measure_feed(target, feed) for feed in feeds]


def load_on_schedule() -> None:
    """Load every feed into the warehouse of the settings, and log how it went."""
    try:
        summaries = load(settings.WAREHOUSE_URL, FEEDS.values(), logger.info)
    except (TargetError, OSError) as error:
        logger.error("The load of the warehouse failed: %s", error)  # noqa: TRY400 - the text says it all
        return
    for problem in (problem for summary in summaries for problem in summary.problems):
        logger.error("The load of the warehouse left out %s", problem)


def _pending(target: Target, feed: Feed) -> Iterator[str]:
    """The objects that are listed and not loaded; one in quarantine may have been repaired, and comes again."""
    loaded: set[str] = set()
    if target.execute(_IS_THERE) != [(0,)]:
        loaded = {uri for (uri,) in target.stream(_LOADED_OBJECTS, [feed.key])}
    return (uri for uri in objects.listed(feed) if uri not in loaded)


def _measure_feed(target: Target, feed: Feed) -> Summary:
    summary = Summary(feed.key)
    for uri in _pending(target, feed):
        try:
            receipt = objects.receipt_of(feed, uri)
        except (MismatchError, storage.LakeError) as problem:
            summary.problems.append(f"{uri}: {problem}")
            continue
        summary.objects += 1
        summary.rows += receipt.rows
        summary.bytes += receipt.bytes
    return summary


def _load_feed(target: Target, feed: Feed, say: Callable[[str], None]) -> Summary:
    summary = Summary(feed.key)
    for uri in _pending(target, feed):
        try:
            loaded = _load_object(target, feed, uri)
        except MismatchError as problem:
            _quarantine(target, feed, uri, str(problem))
            summary.problems.append(f"{uri} (in quarantine): {problem}")
        except storage.LakeError as problem:
            # That the lake did not answer says nothing about the object.
            summary.problems.append(f"{uri}: {problem}")
        else:
            summary.objects += 1
            summary.rows += loaded.rows
            summary.bytes += loaded.receipt.bytes
            summary.refused += loaded.refused
            say(f"{feed.key}: {counted(loaded.rows, 'row')} of {uri}; {loaded.refused} refused")
    return summary


def _load_object(target: Target, feed: Feed, uri: str) -> _Loaded:
    receipt = objects.receipt_of(feed, uri)
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.SPOOL_DIR, prefix="load-") as name:
        folder = Path(name)
        fetched = objects.fetch(uri, receipt, folder)
        # Snowflake ends a transaction at a CREATE, so the staging table, which no other session sees, is made before.
        target.execute(statements.create_staging(target.dialect, feed, "TEMPORARY"))
        if target.dialect == "duckdb":
            with suppress(_NotPlainError):
                return _merge_plain(target, feed, uri, receipt, fetched)
        return _merge_checked(target, feed, uri, receipt, fetched, folder)


def _merge_plain(target: Target, feed: Feed, uri: str, receipt: Receipt, fetched: Fetched) -> _Loaded:
    rows = id_sum = 0
    with target.transaction():
        for part in fetched.parts:
            target.execute(statements.empty_staging(target.dialect, feed))
            target.execute(plain.fill_staging(feed, receipt.shape, part.path, fetched.max_bytes))
            ((found, keys, part_sum),) = target.execute(plain.proof(feed))
            if not found == keys == part.lines:
                raise _NotPlainError
            target.execute(statements.merge(target.dialect, feed, is_distinct=True))
            rows, id_sum = rows + found, id_sum + part_sum
        prove(receipt, rows, 0, id_sum)
        target.execute(_FORGET_REFUSED, [uri])
        return _note(target, feed, uri, _Loaded(receipt, rows))


def _merge_checked(target: Target, feed: Feed, uri: str, receipt: Receipt, fetched: Fetched, folder: Path) -> _Loaded:
    staged = stage(feed, uri, receipt, fetched, folder)
    with target.transaction():
        for part in staged.parts:
            target.execute(statements.empty_staging(target.dialect, feed))
            execute_all(target, statements.fill_staging(target.dialect, feed, part, staged.max_bytes))
            target.execute(statements.merge(target.dialect, feed))
        target.execute(_FORGET_REFUSED, [uri])
        if staged.refused:
            execute_all(target, statements.fill_refused(target.dialect, staged.refused_path, staged.max_bytes))
        return _note(target, feed, uri, _Loaded(receipt, staged.rows, staged.refused))


def _note(target: Target, feed: Feed, uri: str, loaded: _Loaded) -> _Loaded:
    receipt = loaded.receipt
    said = (receipt.sha256, receipt.bytes, receipt.rows, receipt.idSum)
    _write_history(target, [uri, feed.key, *said, loaded.rows, loaded.refused, LOADED, None])
    return loaded


def _quarantine(target: Target, feed: Feed, uri: str, reason: str) -> None:
    with target.transaction():
        target.execute(_FORGET_REFUSED, [uri])
        _write_history(target, [uri, feed.key, None, None, None, None, 0, 0, QUARANTINED, reason])


def _write_history(target: Target, values: list[str | int | None]) -> None:
    target.execute(statements.write_history(target.dialect), [*values, iso(timezone.now())])
