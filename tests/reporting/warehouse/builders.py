"""Makers of what the warehouse's tests need: objects of the lake with their manifests, and a look into the result."""

import gzip
import uuid
from contextlib import contextmanager
from typing import Any

import duckdb
import orjson
from django.utils import timezone

from reporting.feeds import FEEDS, Feed
from reporting.lake import storage
from reporting.lake.manifests import Content, Tally, manifest_uri
from reporting.warehouse import objects


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
        "provider_id": "provider-viralhub",
        "provider_name": "ViralHub",
        "action": "pause",
        "notes": None,
        "platform_context_id": None,
        "platform_context_label": None,
        "platform_context_handle": None,
        "platform_context_type": None,
        "conversion_cursor": None,
        "conversion_href": None,
        "created_at": "2026-11-08T08:04:48.397123Z",
        **changes,
    }


def put(feed: Feed, name: str, rows: list[Any], shape: str = "wire", manifest: dict[str, Any] | None = None) -> str:
    """Write an object of the lake, with its manifest beside it, and return its URI.

    Args:
        feed: whose object it is.
        name: its name; one that ends with ``.gz`` is compressed.
        rows: its rows; bytes stand for a line as it is.
        shape: the shape of the rows, which decides on the folder.
        manifest: what the manifest says otherwise than it should.
    """
    lines = [row if isinstance(row, bytes) else orjson.dumps(row) for row in rows]
    data = b"".join(line + b"\n" for line in lines)
    content, tally = Content(), Tally()
    content.write(data := gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    key = "id" if shape == "wire" and feed.window else feed.key_column
    for row in rows:
        known = row.get(key) if isinstance(row, dict) else None
        tally.count(known if isinstance(known, str) and len(known) == 36 else "00000000", "2026-11-08T08:04:48.397123Z")
    folder = next(uri for uri, of_shape in objects.folders(feed).items() if of_shape == shape)
    uri = f"{folder}/2026/11/08/{name}"
    storage.write(uri, data)
    receipt = tally.receipt(feed.key, uri, (1, len(rows)), "run", timezone.now(), shape, content)
    storage.write(manifest_uri(uri), orjson.dumps({**orjson.loads(receipt.as_json()), **(manifest or {})}))
    return uri


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
