"""A state machine over everything that can happen to the exports, and what must hold whatever the order.

Hypothesis draws histories of captures, transactions that commit late, exports that die at any step, rewinds, undoing,
retention, repairs and restored databases. At every moment the files of the lake hold committed rows alone, each with
one content, and all rows up to the checkpoint; in the end they hold all committed rows.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reporting.accounting import retention
from reporting.checkpoints import rewinds
from reporting.exports import runs
from reporting.feeds import FEEDS
from reporting.feeds.shapes import model_of
from reporting.lake import storage
from reporting.lake.manifests import manifest_uri
from reporting.models import Checkpoint, CheckpointMove, ExportRun
from reporting.warehouse.comparison import Difference
from reporting.warehouse.objects import listed, receipt_of
from reporting.warehouse.repair import repair
from smplat.lib.times import midnight
from tests.lake import lines
from tests.reporting.exports.accidents import (
    Backup,
    Killed,
    LateWriter,
    Meanwhile,
    Steps,
    age_rows,
    empty_tables,
    write,
)

#: A feed whose objects are windows, and one that is exported incrementally.
WINDOWED, INCREMENTAL = "quick_order", "onboarding_segments"
MAX_STEPS_OF_A_RUN = 16
_MAX_LATE = 3
feeds = st.sampled_from([WINDOWED, INCREMENTAL])
outcomes = st.lists(st.booleans(), min_size=_MAX_LATE, max_size=_MAX_LATE)


class EmptyWarehouse:
    """A warehouse that has never loaded anything."""

    dialect = "duckdb"

    def execute(self, statement: str, parameters: Any = ()) -> list[tuple[int]]:
        """Count no load."""
        return [(0,)]


@dataclass
class Model:
    """What has to be, of one feed.

    Attributes:
        committed: positions of all committed rows that the database did not lose, by id, pruned ones included.
        lost: rows that a restored database lost, after they had reached the lake.
        contents: what the lake held of each row.
    """

    committed: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    contents: dict[tuple[str, str], Any] = field(default_factory=dict)


class Histories(RuleBasedStateMachine):
    """One history, from empty tables and an empty lake."""

    def __init__(self, steps: Steps, meanwhile: Meanwhile) -> None:
        """Begin.

        Args:
            steps: at which of its steps a run dies.
            meanwhile: what happens while a run waits for writers.
        """
        super().__init__()
        self.steps, self.meanwhile = steps, meanwhile
        self.late: list[LateWriter] = []
        self.backup: Backup | None = None
        self.models = {WINDOWED: Model(), INCREMENTAL: Model()}
        empty_tables()
        for uri in list(storage.listing(settings.LAKE_URI)):
            _delete(uri)

    # What comes in

    @rule(feed=feeds, count=st.integers(1, 3))
    def capture(self, feed: str, count: int) -> None:
        """Rows are committed at once."""
        self._commit(feed, write(feed, count))

    @precondition(lambda self: len(self.late) < _MAX_LATE)
    @rule(feed=feeds, count=st.integers(0, 2))
    def begin(self, feed: str, count: int) -> None:
        """A transaction writes rows, and stays open; later ones commit before it."""
        self.late.append(LateWriter(feed))
        self.capture(feed, count)

    @precondition(lambda self: self.late)
    @rule(which=st.integers(0, _MAX_LATE), commits=st.booleans())
    def finish(self, which: int, commits: bool) -> None:
        """A transaction commits after later ones, or rolls back."""
        self._finish(self.late[which % len(self.late)], commits)

    # What goes out

    @rule(feed=feeds, commits=outcomes)
    def export(self, feed: str, commits: list[bool]) -> None:
        """A run succeeds, or finds nothing; transactions that it waits for end meanwhile, and others begin."""
        run = self._run(feed, commits)

        assert run.state in {"succeeded", "skipped"}, run.error

    @rule(feed=feeds, commits=outcomes, step=st.integers(1, MAX_STEPS_OF_A_RUN))
    def export_and_die(self, feed: str, commits: list[bool], step: int) -> None:
        """A run dies before or after one of its steps, its database session with it."""
        self.steps.arm(step)
        try:
            self._run(feed, commits)
        except (Killed, DatabaseError):
            assert self.steps.has_died
            connection.close()
        finally:
            self.steps.disarm()

    # What operators do

    @rule(feed=feeds, back=st.integers(1, 6))
    def rewind(self, feed: str, back: int) -> None:
        """The checkpoint goes back by some positions."""
        if (checkpoint := _checkpoint(feed)) > 0:
            rewinds.rewind(feed, None, to_position=max(checkpoint - back, 0))

    @rule(feed=feeds)
    def undo(self, feed: str) -> None:
        """The newest move is undone, whatever moved."""
        newest = CheckpointMove.objects.of(feed).first()
        if newest is not None and Checkpoint.objects.filter(pk=feed).exists():
            rewinds.undo(newest, None)

    @rule()
    def prune(self) -> None:
        """All telemetry is old, and retention deletes what it may."""
        age_rows()
        retention.apply()

    @rule(feed=feeds, chosen=st.randoms(use_true_random=False))
    def lose_an_object_and_repair(self, feed: str, chosen: random.Random) -> None:
        """An object disappears, and what the database still holds of it is repaired."""
        uris = [uri for uri in listed(FEEDS[feed]) if "/stage/" not in uri]
        if not uris:
            return
        uri = chosen.choice(sorted(uris))
        lost = {key for key, _ in _rows(feed, uri)}
        if not lost <= {str(row.event_id) for row in _stored(feed, lost)}:
            return
        for name in (uri, manifest_uri(uri)):
            _delete(name)
        self._repair(feed, lost)

    @precondition(lambda self: not self.late)
    @rule()
    def back_up(self) -> None:
        """The database is dumped."""
        self.backup = Backup({feed: dict(model.committed) for feed, model in self.models.items()})

    @precondition(lambda self: self.backup and not self.late)
    @rule()
    def restore(self) -> None:
        """The database is restored as it was dumped: it loses rows, and its sequences go back.

        A dump from before the first export knows no checkpoint. Its positions are drawn again, so that the checkpoint's
        copy, which is younger, means nothing any more: the operator removes it.
        """
        assert self.backup is not None
        self.backup.restore()
        if not _checkpoint(INCREMENTAL):
            _delete(settings.CHECKPOINT_URIS[INCREMENTAL])
        for feed, model in self.models.items():
            in_the_lake = {key for key, _ in self._lake(feed)}
            model.lost |= (model.committed.keys() - self.backup.committed[feed].keys()) & in_the_lake
            model.committed = dict(self.backup.committed[feed])

    # What must hold

    @invariant()
    def lake_holds_what_was_committed_and_all_of_it_up_to_the_checkpoint(self) -> None:
        for feed, model in self.models.items():
            merged = self._merge(feed)
            reached = _checkpoint(feed)
            exported = {key for key, position in model.committed.items() if position <= reached}
            assert merged <= model.committed.keys() | model.lost, "a row that was never committed lies in the lake"
            assert exported <= merged, f"{feed} lacks rows up to its checkpoint {reached}: {exported - merged}"

    def teardown(self) -> None:
        """In the end everything commits and is exported."""
        try:
            for writer in list(self.late):
                self._finish(writer, commits=True)
            for feed, model in self.models.items():
                self.export(feed, [])
                assert model.committed.keys() <= self._merge(feed), "a committed row did not reach the lake"
        finally:
            for writer in self.late:
                writer.end(commits=False)
            if self.backup is not None:
                self.backup.drop()

    def _run(self, feed: str, commits: list[bool]) -> ExportRun:
        waited_for = [writer for writer in self.late if writer.feed == feed]
        self.meanwhile.acts = [
            *(
                lambda writer=writer, ends=ends: self._finish(writer, ends)
                for writer, ends in zip(waited_for, commits, strict=False)
            ),
            lambda: self._begin_another(feed),
        ]
        try:
            return runs.perform(runs.request_run(FEEDS[feed], ExportRun.Trigger.COMMAND))
        finally:
            self.meanwhile.acts = []

    def _begin_another(self, feed: str) -> None:
        if len(self.late) < _MAX_LATE:
            self.late.append(LateWriter(feed))

    def _finish(self, writer: LateWriter, commits: bool) -> None:
        self.late.remove(writer)
        writer.end(commits)
        if commits:
            self._commit(writer.feed, writer.ids)

    def _commit(self, feed: str, ids: list[str]) -> None:
        self.models[feed].committed |= {str(row.event_id): row.position for row in _stored(feed, ids)}

    def _repair(self, feed: str, lost: set[str]) -> None:
        difference = Difference()
        for key in sorted(lost):
            difference.missing.add(key)
        row = _stored(feed, lost)[0]
        assert repair(EmptyWarehouse(), FEEDS[feed], midnight(row.recorded_at.date()).date(), difference)  # type: ignore[arg-type]
        for keys in (
            difference.missing,
            difference.changed,
            difference.extra,
            difference.in_flight,
            difference.refused,
        ):
            keys.close()

    def _lake(self, feed: str) -> Iterator[tuple[str, Any]]:
        for uri in listed(FEEDS[feed]):
            yield from _rows(feed, uri)

    def _merge(self, feed: str) -> set[str]:
        """The keys of all rows in the lake, each of which has one content in each shape."""
        contents = self.models[feed].contents
        merged = set()
        for key, row in self._lake(feed):
            shape = "warehouse" if "event_id" in row else "wire"
            assert contents.setdefault((key, shape), row) == row, f"{key} was exported with two contents"
            merged.add(key)
        return merged


def _delete(uri: str) -> None:
    place = storage.place(uri)
    place.storage.delete(place.name)


def _checkpoint(feed: str) -> int:
    checkpoint = Checkpoint.objects.filter(pk=feed).first()
    return checkpoint.position if checkpoint else 0


def _rows(feed: str, uri: str) -> list[tuple[str, Any]]:
    """Key and content of the rows of an object, which is held against its manifest."""
    rows = [json.loads(line) for line in lines(uri, receipt_of(FEEDS[feed], uri))]
    return [(row.get("event_id") or row.get("eventId") or row["id"], row) for row in rows]


def _stored(feed: str, ids: Any) -> list[Any]:
    return list(model_of(FEEDS[feed]).objects.filter(**{"event_id__in": list(ids)}))
