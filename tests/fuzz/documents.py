"""Documents that are read from files, URLs and tables: their grammars, and what reads them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from reporting.checkpoints.content import CheckpointError, parse
from reporting.feeds import FEEDS
from reporting.feeds.from_wire import UnmappableError
from reporting.lake import storage
from reporting.lake.manifests import manifest_uri
from reporting.warehouse.objects import MismatchError, receipt_of
from reporting.warehouse.reader import Reader
from tests.factories import quick_order_event
from tests.fuzz import grammar_pages, parts, values
from tests.lake import lines

FEED = FEEDS["quick_order"]
_CHECKPOINT = {
    "cursor": "2026-01-22T04:00:00.123456Z",
    "position": 0,
    "rows": 1,
    "updatedAt": "2026-01-22T04:00:00.123456Z",
    "feed": FEED.key,
    "downloadUrl": "https://lake.test/a.ndjson",
}


@dataclass(frozen=True)
class Kind:
    """A kind of document.

    Attributes:
        make: makes one.
        read: reads it as the product does.
        refusals: how the product says that it cannot be used.
    """

    make: Callable[[Random], bytes]
    read: Callable[[bytes, str], Any]
    refusals: tuple[type[Exception], ...]


def _of(example: Mapping[str, object]) -> Callable[[Random], bytes]:
    return lambda rng: grammar_pages.document(rng, example)


def _checkpoint(rng: Random) -> bytes:
    bare = values.to_bytes(rng, values.moment(rng))
    return rng.choice((_of(_CHECKPOINT)(rng), bare, b'"' + bare + b'"', values.damaged(rng, bare)))


def _line(rng: Random) -> bytes:
    row = {**quick_order_event(), "reason": None, "outcome": None}
    return parts.json_body(rng, row)


def _read_manifest(content: bytes, uri: str) -> None:
    for name, held in ((uri, b"{}\n"), (manifest_uri(uri), content)):
        path = Path(storage.place(name).storage.path(storage.place(name).name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(held)
    list(lines(uri, receipt_of(FEED, uri)))


#: By name; each reader gets the document and a URI at which it may lie.
KINDS: dict[str, Kind] = {
    "checkpoint": Kind(_checkpoint, lambda content, uri: parse(content, FEED.key, uri), (CheckpointError,)),
    "manifest": Kind(_of(grammar_pages.MANIFEST), _read_manifest, (MismatchError, storage.LakeError)),
    "line": Kind(_line, lambda content, uri: Reader(FEED, "wire").row(content), (UnmappableError,)),
}
