"""Makers of what the warehouse's tests need: objects of the lake with their manifests, and a look into the result."""

import uuid
from contextlib import contextmanager
from typing import Any

import duckdb
import orjson

from reporting.feeds import FEEDS, Feed
from reporting.feeds.lines import Line
from reporting.lake import storage
from reporting.lake.manifests import manifest_uri
from reporting.lake.writer import ObjectWriter
from reporting.warehouse import objects
from tests.factories import follow_up


def quick_order_row(**changes: Any) -> dict[str, Any]:
    """A row of a quick-order object, as the exports write it."""
    return {
        "id": str(uuid.uuid4()),
        "originalId": None,
        "name": "quick_order.start",
        "source": "storefront",
        "recordedAt": "2026-11-08T08:04:48.397123Z",
        "sessionId": "qos_1",
        "productId": "prod_tt_boost",
        "productTitle": "TikTok Momentum",
        "reason": None,
        "outcome": None,
        "guardrail": {"platformSlug": "tiktok"},
        "metadata": {"platformType": "ig"},
        **changes,
    }


def followup_row(**changes: Any) -> dict[str, Any]:
    """A row of a follow-ups object on the stage, in warehouse shape."""
    return {
        "follow_up_id": str(uuid.uuid4()),
        **follow_up(provider_name="ViralHub"),
        "created_at": "2026-11-08T08:04:48.397123Z",
        **changes,
    }


def put(feed: Feed, name: str, rows: list[Any], shape: str = "wire", manifest: dict[str, Any] | None = None) -> str:
    """Write an object of the lake, with its manifest beside it, and return its URI.

    Args:
        feed: whose object it is.
        name: its name; one that ends with ``.gz`` is compressed.
        rows: its rows; bytes stand for a line as it is.
        shape: the shape of the rows; those in wire shape lie where the feed's job writes, the others on the stage.
        manifest: what the manifest says otherwise than it should.
    """
    key = "id" if shape == "wire" and feed.window else feed.key_column
    by_job, by_shim = objects.folders(feed)
    folder = by_job if shape == "wire" else by_shim
    uri = f"{folder}/2026/11/08/{name}"
    with ObjectWriter(feed, shape, gzip=name.endswith(".gz")) as writer:
        writer.add([line(position, row, key) for position, row in enumerate(rows, start=1)])
        receipt = writer.commit(uri, "run")
    if manifest is not None:
        storage.write(manifest_uri(uri), orjson.dumps({**orjson.loads(receipt.as_json()), **manifest}))
    return uri


def line(position: int, row: Any, key: str) -> Line:
    """A row as a line; one without a key that is a UUID counts as nothing in the manifest's idSum."""
    known = row.get(key) if isinstance(row, dict) else None
    known = known if isinstance(known, str) and len(known) == 36 else "00000000"
    json = row if isinstance(row, bytes) else orjson.dumps(row)
    return Line(position, "2026-11-08T08:04:48.397123Z", known, json)


@contextmanager
def opened(path: Any):
    """The DuckDB file at ``path``, with times in UTC."""
    connection = duckdb.connect(path)
    connection.execute("SET TimeZone = 'UTC'")
    yield connection
    connection.close()


def table(path: Any, feed_key: str) -> dict[str, tuple[Any, ...]]:
    """The rows of a feed's table by key: times as text with six decimals, keys as text, JSON parsed."""
    feed = FEEDS[feed_key]
    values = {
        "UUID": "CAST({} AS TEXT)",
        "TIMESTAMP WITH TZ": "strftime({}, '%Y-%m-%dT%H:%M:%S.%fZ')",
    }
    columns = [values.get(column.type.value, "{}").format(column.name) for column in feed.columns]
    with opened(path) as connection:
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM {feed.table}").fetchall()  # noqa: S608
    found = [
        tuple(
            orjson.loads(value) if column.type.value == "VARIANT" else value
            for column, value in zip(feed.columns, row, strict=True)
        )
        for row in rows
    ]
    return {row[0]: row for row in found}
