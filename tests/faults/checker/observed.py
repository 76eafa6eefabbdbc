"""What was found in the end: in the tables, in the lake, in the warehouse and at the webhook."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Merged:
    """The files of a feed as a reader merges them: by key.

    Attributes:
        keys: the keys of all files.
        replayed: how many keys lie in more than one file.
        doubled: the keys that one file holds twice.
        changed: the keys that two files hold with different content.
    """

    keys: list[str]
    replayed: int
    doubled: list[str]
    changed: list[str]


@dataclass
class Observed:
    """What was found of one feed in the end.

    Attributes:
        stored: key and token of each row of the table.
        lake: its files, merged.
        warehouse: the keys of its table in the warehouse.
        ledger: what the equations of its line leave over.
        parity: how many rows the parity check calls missing, changed, extra or in flight.
        moves: each move of its checkpoint: the position it went to, and the last position of the run's file as its
            manifest says; None where the lake has no such manifest.
        webhook: the keys that the webhook has got; None where the feed has none.
    """

    stored: list[tuple[str, str]] = field(default_factory=list)
    lake: Merged = field(default_factory=lambda: Merged([], 0, [], []))
    warehouse: list[str] = field(default_factory=list)
    ledger: int = 0
    parity: dict[str, int] = field(default_factory=dict)
    moves: list[tuple[int, int | None]] = field(default_factory=list)
    webhook: list[str] | None = None


def merge(files: Iterable[Iterable[tuple[str, bytes]]]) -> Merged:
    """Merge files, each given as keys and lines.

    A replayed row has to be identical, so it does not matter which of its files a reader takes it from.
    """
    contents: dict[str, bytes] = {}
    replayed, doubled, changed = set(), [], []
    for file in files:
        in_this_file: set[str] = set()
        for key, line in file:
            digest = hashlib.sha256(line).digest()
            if key in in_this_file:
                doubled.append(key)
            elif key in contents:
                replayed.add(key)
            in_this_file.add(key)
            if contents.setdefault(key, digest) != digest:
                changed.append(key)
    return Merged(list(contents), len(replayed), doubled, changed)


def received(bodies: Iterable[dict[str, Any]], wire_keys: Mapping[str, str]) -> dict[str, list[str]]:
    """The keys in the messages of a webhook.

    Args:
        bodies: the messages.
        wire_keys: the name of a row's key, by the name of the list that holds the rows.
    """
    keys: dict[str, list[str]] = defaultdict(list)
    for body in bodies:
        for name, rows in body.items():
            keys[name] += [row[wire_keys[name]] for row in rows]
    return keys


def loaded(text: str) -> dict[str, Observed]:
    """Observations that were written as JSON, by feed."""
    values: dict[str, dict[str, Any]] = json.loads(text)
    return {
        key: Observed(
            **{
                **seen,
                "stored": [(row, token) for row, token in seen["stored"]],
                "lake": Merged(**seen["lake"]),
                "moves": [(position, last) for position, last in seen["moves"]],
            }
        )
        for key, seen in values.items()
    }
