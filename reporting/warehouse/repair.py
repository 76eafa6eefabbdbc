"""Repair: rows that the warehouse lacks or has otherwise, as an object of the stage, for the next load to merge.

An object's name comes from its content, so that a repair which is repeated before the load writes nothing new. One that
was loaded before, and is needed again, gets a name of its own.
"""

import tempfile
from collections.abc import Iterator
from datetime import date
from typing import IO

from django.conf import settings
from django.utils import timezone

from reporting.feeds import Feed
from reporting.feeds.shapes import model_of, ndjson, warehouse_rows
from reporting.lake import storage
from reporting.lake.manifests import Content, Tally, manifest_uri
from reporting.warehouse.comparison import Difference
from reporting.warehouse.schema import HISTORY
from reporting.warehouse.targets import Target

_ID_DIGITS = 32


def repair(target: Target, feed: Feed, day: date, difference: Difference) -> str | None:
    """Put the missing and changed rows of a day on the stage.

    Args:
        target: the warehouse, which is only asked what it has loaded.
        feed: the feed of the rows.
        day: their UTC day.
        difference: what was found on it.

    Returns:
        The object's URI; None where there is nothing to repair.

    Raises:
        reporting.lake.storage.LakeError: the stage cannot be written; an object without a manifest does not count.
        OSError: the spool cannot be written.
    """
    settings.SPOOL_DIR.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=settings.SPOOL_DIR) as spool:
        tally = _spool(feed, difference, spool)
        if not tally.rows:
            return None
        name = f"repair-{tally.content.sha256[:_ID_DIGITS]}"
        folder = f"{settings.INGEST_STAGE_URI}/{feed.key}/dt={day.isoformat()}"
        uri = f"{folder}/{name}{_suffix(target, feed, f'{folder}/{name}')}.ndjson"
        if not _is_there(manifest_uri(uri)):
            spool.seek(0)
            storage.write(uri, spool)
            receipt = tally.receipt(feed.key, uri, None, name, timezone.now(), shape="warehouse")
            storage.write(manifest_uri(uri), receipt.as_json())
    return uri


def _spool(feed: Feed, difference: Difference, spool: IO[bytes]) -> Tally:
    tally, content = Tally(), Content(spool)
    tally.content = content
    for keys in _chunks(difference):
        rows = model_of(feed).objects.filter(**{f"{feed.key_column}__in": keys}).order_by(feed.key_column)
        for row in warehouse_rows(feed, rows):
            content.write(ndjson(row))
            tally.count(row[feed.key_column], row[feed.time_column])
    return tally


def _chunks(difference: Difference) -> Iterator[list[str]]:
    yield from difference.missing.chunks()
    yield from difference.changed.chunks()


def _suffix(target: Target, feed: Feed, name: str) -> str:
    """What tells a repair from earlier ones of the same content that were loaded; nothing for the first."""
    query = (
        f"SELECT COUNT(*) FROM {HISTORY} WHERE feed = ? AND state = 'loaded' "  # noqa: S608 - a name of ours
        f"AND SUBSTR(object, 1, {len(name)}) = ?"
    )
    ((times,),) = target.execute(query, [feed.key, name])
    return f"-{times + 1}" if times else ""


def _is_there(uri: str) -> bool:
    try:
        return bool(b"".join(storage.read(uri)))
    except storage.ObjectNotFoundError:
        return False
