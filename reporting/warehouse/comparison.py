"""One day, row by row: which rows the warehouse lacks, which it should not have, and which it has otherwise.

Both sides are read in the order of their keys, and keys of interest are kept in files, so that memory is flat.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import Any
from uuid import UUID

import orjson
from django.db.models.expressions import RawSQL

from reporting.feeds import Feed
from reporting.feeds.checksums import content_sql, id_number, json_columns, json_text_sql
from reporting.feeds.shapes import model_of
from reporting.warehouse.schema import REFUSED
from reporting.warehouse.sums import Days, Reach, Sums, expired, within
from reporting.warehouse.targets import Target

#: How many keys a check names; the others are counted.
MAX_IDS = 100
_KEY_BYTES, _KEYS_AT_ONCE = 16, 2_000
_KEYS_IN_MEMORY = 1_048_576


class Keys:
    """Keys in the order in which they were added: counted, the first of them at hand, all of them in a file."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []
        self._file = SpooledTemporaryFile(_KEYS_IN_MEMORY)  # noqa: SIM115 - closed by close()

    def add(self, key: str) -> None:
        """Add a key, a UUID in text form."""
        self._file.write(UUID(key).bytes)
        self.count += 1
        if self.count <= MAX_IDS:
            self.first.append(key)

    def __iter__(self) -> Iterator[str]:
        for keys in self.chunks():
            yield from keys

    def chunks(self) -> Iterator[list[str]]:
        """All keys, so many at once as one statement takes."""
        self._file.seek(0)
        while data := self._file.read(_KEY_BYTES * _KEYS_AT_ONCE):
            yield [str(UUID(bytes=data[at : at + _KEY_BYTES])) for at in range(0, len(data), _KEY_BYTES)]

    def close(self) -> None:
        self._file.close()


@dataclass
class Difference:
    """What one day came to.

    Attributes:
        missing: in an object that the load has looked at, and not in the warehouse.
        changed: in both, with other contents.
        extra: in the warehouse, and neither here nor expired.
        in_flight: not yet exported, or in an object that the load has not looked at.
        refused: kept aside by the load.
        loaded: how many exported rows the warehouse holds.
        unloaded: how many exported rows are in flight.
    """

    missing: Keys = field(default_factory=Keys)
    changed: Keys = field(default_factory=Keys)
    extra: Keys = field(default_factory=Keys)
    in_flight: Keys = field(default_factory=Keys)
    refused: Keys = field(default_factory=Keys)
    loaded: int = 0
    unloaded: int = 0

    @property
    def is_equal(self) -> bool:
        """Whether the warehouse holds what it should."""
        return not (self.missing.count or self.changed.count or self.extra.count)

    def close(self) -> None:
        for keys in (self.missing, self.changed, self.extra, self.in_flight, self.refused):
            keys.close()


class Comparison:
    """Compares days of one feed."""

    def __init__(self, target: Target, feed: Feed, days: Days, reached: Reach) -> None:
        """Make a comparison.

        Args:
            target: the warehouse.
            feed: the feed.
            days: all days that are compared, so that a row whose time was changed is counted once.
            reached: how far the feed has got.
        """
        self._target, self._feed, self._days, self._reach = target, feed, days, reached
        self._refused: set[str] | None = None

    def day(self, day: date) -> Difference:
        """Compare one day; the caller closes what it gets."""
        found = Difference()
        with ExitStack() as stack:
            absent, foreign = Keys(), Keys()
            stack.callback(absent.close)
            stack.callback(foreign.close)
            self._walk(day, found, absent, foreign)
            self._settle_absent(found, absent)
            self._settle_foreign(found, foreign, day)
        return found

    def _walk(self, day: date, found: Difference, absent: Keys, foreign: Keys) -> None:
        last = None
        for key, here, there in _side_by_side(self._desk_rows(day), self._warehouse_rows(day)):
            if there is None:
                self._note_absent(key, here[1], found, absent)
            elif here is None:
                # A warehouse that does not enforce keys may hold a row twice.
                (found.extra if key == last else foreign).add(key)
            else:
                last = key
                found.loaded += here[1] <= self._reach.exported
                if not _is_alike(here[2:], there[1:]):
                    found.changed.add(key)

    def _note_absent(self, key: str, position: int, found: Difference, absent: Keys) -> None:
        if position <= self._reach.looked_at:
            absent.add(key)
            return
        found.in_flight.add(key)
        found.unloaded += position <= self._reach.exported

    def _desk_rows(self, day: date) -> Iterator[tuple[Any, ...]]:
        time, key = self._feed.time_column, self._feed.key_column
        first, after = Days(day, day).bounds
        rows = model_of(self._feed).objects.filter(**{f"{time}__gte": first, f"{time}__lt": after})
        texts = {f"text_{name}": RawSQL(json_text_sql("postgres", name), []) for name in json_columns(self._feed)}
        sums = {"content": RawSQL(content_sql("postgres", self._feed), [])}
        annotated = rows.order_by(key).annotate(**sums, **texts)
        yield from annotated.values_list(key, "position", "content", *texts).iterator(chunk_size=_KEYS_AT_ONCE)

    def _warehouse_rows(self, day: date) -> Iterator[tuple[Any, ...]]:
        dialect = self._target.dialect
        texts = [json_text_sql(dialect, name) for name in json_columns(self._feed)]
        values = ", ".join([_key_text(self._feed), content_sql(dialect, self._feed), *texts])
        condition, parameters = within(self._target, self._feed, Days(day, day))
        query = f"SELECT {values} FROM {self._feed.table} WHERE {condition} ORDER BY 1"  # noqa: S608 - names of ours
        return self._target.stream(query, parameters)

    def _settle_absent(self, found: Difference, absent: Keys) -> None:
        """Tell rows that are missing from those on another day of the warehouse, and from refused ones."""
        for keys in absent.chunks():
            moved = self._in_warehouse(keys)
            for key in keys:
                if key in moved:
                    found.changed.add(key)
                    found.loaded += 1
                else:
                    (found.refused if key in self._refused_keys() else found.missing).add(key)

    def _settle_foreign(self, found: Difference, foreign: Keys, day: date) -> None:
        """Tell rows that are extra from those on another day here, and from expired ones."""
        unknown = Keys()
        for keys in foreign.chunks():
            known = self._in_database(keys)
            for key in keys:
                if key not in known:
                    unknown.add(key)
                elif known[key] not in self._days:
                    # Its own day is not compared, so this one names it.
                    found.changed.add(key)
        # Retention may have pruned rows while they were compared, so what it has booked is read last.
        for key in _beyond(unknown, expired(self._feed, Days(day, day)).get(day, Sums())):
            found.extra.add(key)
        unknown.close()

    def _in_warehouse(self, keys: list[str]) -> set[str]:
        # As text, since the column may be UUID or TEXT.
        key, placeholders = _key_text(self._feed), ", ".join("?" * len(keys))
        query = f"SELECT {key} FROM {self._feed.table} WHERE {key} IN ({placeholders})"  # noqa: S608 - names of ours
        return {key for (key,) in self._target.execute(query, keys)}

    def _in_database(self, keys: list[str]) -> dict[str, date]:
        rows = model_of(self._feed).objects.filter(**{f"{self._feed.key_column}__in": keys})
        known = rows.values_list(self._feed.key_column, self._feed.time_column)
        return {str(key): moment.date() for key, moment in known}

    def _refused_keys(self) -> set[str]:
        """The keys of the rows that the load has refused, which are few; read once, and only where a row is absent."""
        if self._refused is None:
            query = f"SELECT raw FROM {REFUSED} WHERE feed = ?"  # noqa: S608 - a name of ours
            raws = self._target.stream(query, [self._feed.key])
            self._refused = {key for (raw,) in raws for key in _keys_of(self._feed, raw)}
        return self._refused


def _side_by_side(here: Iterator[Any], there: Iterator[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Two sides in the order of their keys as one: key, row of the one or None, row of the other or None."""
    mine, yours = next(here, None), next(there, None)
    while mine is not None or yours is not None:
        my_key, your_key = str(mine[0]) if mine else None, yours[0] if yours else None
        if your_key is None or (my_key is not None and my_key < your_key):
            yield str(my_key), mine, None
            mine = next(here, None)
        elif my_key is None or your_key < my_key:
            yield your_key, None, yours
            yours = next(there, None)
        else:
            yield my_key, mine, yours
            mine, yours = next(here, None), next(there, None)


def _is_alike(here: tuple[Any, ...], there: tuple[Any, ...]) -> bool:
    """Whether two rows hold the same: the MD5 of their scalars, and the texts of their JSON, parsed."""
    if here[0] != there[0]:
        return False
    texts = zip(here[1:], there[1:], strict=True)
    return all(None not in pair and _is_same(*map(orjson.loads, pair)) for pair in texts)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same: numbers have one type, and ``true`` is none of them."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _beyond(unknown: Keys, pruned: Sums) -> Iterator[str]:
    """Those of the unknown keys that are not expired.

    Retention keeps count and idSum of what it prunes, and no keys. So where a day has expired rows, one row too many
    is found by its part of the idSum; otherwise the first ones stand for all.
    """
    too_many = unknown.count - pruned.rows
    rest = sum(map(id_number, unknown)) - pruned.id_sum
    if too_many < 0 or (too_many == 0 and rest == 0):
        return
    exact = next((key for key in unknown if id_number(key) == rest), None) if too_many == 1 else None
    if exact is not None:
        yield exact
        return
    yield from islice(unknown, max(too_many, 1))


def _keys_of(feed: Feed, raw: str) -> Iterator[str]:
    """The key of a refused row, as far as it can be read."""
    try:
        row = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return
    paths = next(column.wire for column in feed.columns if column.name == feed.key_column)
    for name in (feed.key_column, *paths):
        value = row.get(name) if isinstance(row, dict) else None
        if isinstance(value, str):
            yield value.lower()


def _key_text(feed: Feed) -> str:
    return f"LOWER(CAST({feed.key_column} AS VARCHAR(36)))"
