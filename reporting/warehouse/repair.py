"""Repair: rows that the warehouse lacks or has otherwise, as an object of the stage, for the next load to merge.

An object's name comes from its content, so that a repair which is repeated before the load writes nothing new. One that
was loaded before, and is needed again, gets a name of its own.
"""

from collections.abc import Iterator
from datetime import date
from itertools import chain

from django.conf import settings

from reporting.feeds import Feed
from reporting.feeds.lines import Line, warehouse_line
from reporting.feeds.shapes import model_of, warehouse_rows
from reporting.lake import storage
from reporting.lake.manifests import manifest_uri
from reporting.lake.writer import ObjectWriter
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
        reporting.lake.storage.LakeError: the stage or the spool cannot be written; an object without a manifest does
            not count.
    """
    with ObjectWriter(feed, "warehouse") as writer:
        for lines in _lines(feed, difference):
            writer.add(lines)
        if not writer.figures.rows:
            return None
        name = f"repair-{writer.sha256[:_ID_DIGITS]}"
        folder = f"{settings.INGEST_STAGE_URI}/{feed.key}/dt={day.isoformat()}"
        uri = f"{folder}/{name}{_suffix(target, feed, f'{folder}/{name}')}.ndjson"
        if not storage.exists(manifest_uri(uri)):
            writer.commit(uri, name)
    return uri


def _lines(feed: Feed, difference: Difference) -> Iterator[list[Line]]:
    """The rows of a difference that the database holds."""
    for keys in chain(difference.missing.chunks(), difference.changed.chunks()):
        rows = model_of(feed).objects.filter(**{f"{feed.key_column}__in": keys}).order_by(feed.key_column)
        yield [warehouse_line(feed, row) for row in warehouse_rows(feed, rows)]


def _suffix(target: Target, feed: Feed, name: str) -> str:
    """What tells a repair from earlier ones of the same content that were loaded; nothing for the first."""
    query = (
        f"SELECT COUNT(*) FROM {HISTORY} WHERE feed = ? AND state = 'loaded' "  # noqa: S608 - a name of ours
        f"AND SUBSTR(object, 1, {len(name)}) = ?"
    )
    ((times,),) = target.execute(query, [feed.key, name])
    return f"-{times + 1}" if times else ""
