"""Checkpoints: their forms, their stores, and the history of their moves."""

import json
import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from reporting.checkpoints import rewinds
from reporting.checkpoints.moves import move
from reporting.checkpoints.stores import (
    CheckpointError,
    CheckpointStore,
    DatabaseStore,
    FileStore,
    LakeStore,
    NoStore,
    Point,
    parse,
    reconcile,
    starting_point,
)
from reporting.exports import claims, runs
from reporting.feeds import FEEDS
from reporting.lake import storage
from reporting.models import Checkpoint, CheckpointMove, ExportRun, GuardrailFollowUp
from smplat.lib.times import iso
from telemetry.models import QuickOrderEvent
from tests.database import capture_quick_orders, create_follow_up, export

FEED = "guardrail_followups"
CURSOR = "2026-01-22T04:00:00.123456Z"
FUTURE = "found the future time"
TIMES = "allowed is an ISO 8601 time with its offset from UTC"
WHOLE = "allowed is a whole number, 0 or more"


def point(**changes) -> Point:
    return replace(Point(FEED, CURSOR, 3, 7, "2026-01-22T05:00:00.654321Z"), **changes)


@pytest.fixture
def drawn(db) -> int:
    """The last position of the feed, after five rows."""
    return [create_follow_up().position for _ in range(5)][-1]


@pytest.fixture(params=["file", "lake on a disk", "lake on S3"])
def kept(request, tmp_path, drawn):
    """A store outside of the database, with the URI of what it keeps."""
    path = tmp_path / "checkpoints" / "followups cursor.json"
    if request.param == "file":
        return FileStore(path, FEED), path.as_uri()
    if request.param == "lake on S3":
        request.getfixturevalue("s3")
        return LakeStore("s3://lake/checkpoints/cursor.json", FEED), "s3://lake/checkpoints/cursor.json"
    return LakeStore(path.as_uri(), FEED), path.as_uri()


@pytest.fixture(params=["database", "file", "lake on S3"])
def store(request, tmp_path, drawn):
    """A store of each kind, empty."""
    if request.param == "database":
        return DatabaseStore(FEED)
    if request.param == "file":
        return FileStore(tmp_path / "cursor.json", FEED)
    request.getfixturevalue("s3")
    return LakeStore("s3://lake/cursor.json", FEED)


class TestForms:
    @pytest.mark.parametrize(
        ("content", "cursor", "position"),
        [
            (json.dumps({"cursor": CURSOR, "position": 3, "rows": 7, "updatedAt": CURSOR}), CURSOR, 3),
            (json.dumps({"cursor": CURSOR, "position": 3, "feed": FEED, "downloadUrl": "https://x.test/"}), CURSOR, 3),
            (json.dumps({"cursor": CURSOR}), CURSOR, None),
            (json.dumps({"cursor": CURSOR, "position": None, "updatedAt": None}), CURSOR, None),
            (json.dumps({"cursor": None, "position": 0}), None, 0),
            (CURSOR, CURSOR, None),
            (f"  {CURSOR}\r\n", CURSOR, None),
            (f'"{CURSOR}"\n', CURSOR, None),
            (f"\ufeff{CURSOR}", CURSOR, None),
            ("2026-01-22T05:30:00.123456+01:30", CURSOR, None),
            ("2026-01-22 04:00:00Z", "2026-01-22T04:00:00.000000Z", None),
            # More digits than are stored are cut off: a microsecond too early repeats a row, one too late loses it.
            ("2026-01-22T04:00:00.123456999Z", CURSOR, None),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z", None),
        ],
    )
    def test_it_is_read(self, kept, content, cursor, position):
        store, uri = kept
        storage.write(uri, content.encode())

        found = store.read()

        assert (found.feed, found.cursor, found.position) == (FEED, cursor, position)

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (b"", "found an empty file, allowed is a JSON object"),
            (b" \n", "found an empty file"),
            (b'{"cursor": "2026-01-22T04:00:0', 'found b\'{"cursor": .*, allowed is a JSON object'),
            (b'{"cursor": NaN}', "allowed is a JSON object"),
            (b'"2026-01-22T04:00:00Z', "allowed is a JSON object"),
            (b'{"a":' * 2_000, "allowed is a JSON object"),
            (b'{"cursor":' + b"[" * 900 + b"]" * 900 + b"}", f"found an array, {TIMES}"),
            (b'{"cursor": null, "position": {"a": 1}}', f"found position an object, {WHOLE}"),
            (b"\xff\xfe\x00", "allowed is a JSON object"),
            (b" " * 70_000, "found more than 65536 bytes"),
            (b"{}", "found neither cursor nor position"),
            (b'{"cursor": null}', "found neither cursor nor position"),
            (b"null", f"found 'null', {TIMES}"),
            (b"20260122", TIMES),
            (b"yesterday", f"found 'yesterday', {TIMES}"),
            (b'["2026-01-22T04:00:00Z"]', TIMES),
            (b'{"cursor": 1769054400}', f"found 1769054400, {TIMES}"),
            (b"2026-01-22T04:00:00", TIMES),
            (b"2026-01-22", TIMES),
            (b"2026-02-30T04:00:00Z", TIMES),
            (b"0001-01-01T00:00:00+14:00", TIMES),
            (b"2199-12-31T23:59:59Z", FUTURE),
            (b"2200-01-01T00:00:00Z", TIMES),
            (b'{"cursor": "2026-01-22T04:00:00Z", "position": -1}', f"found position -1, {WHOLE}"),
            (b'{"cursor": "2026-01-22T04:00:00Z", "position": 3.0}', f"found position 3.0, {WHOLE}"),
            (b'{"cursor": "2026-01-22T04:00:00Z", "position": "3"}', f"found position '3', {WHOLE}"),
            (b'{"cursor": "2026-01-22T04:00:00Z", "position": true}', f"found position True, {WHOLE}"),
            (b'{"position": 99999999999999999999999999}', WHOLE),
            (b'{"position": 18446744073709551615}', "allowed is one up to"),
            (b'{"position": 1, "rows": -1}', f"found rows -1, {WHOLE}"),
            (b'{"position": 1, "updatedAt": "now"}', TIMES),
            (b'{"position": 1, "feed": "quick_order"}', "a checkpoint of feed 'quick_order', allowed is one of feed"),
            (b'{"position": 1, "feed": null}', "a checkpoint of feed None"),
        ],
    )
    def test_it_is_refused_by_name_with_what_was_found_and_what_is_allowed(self, kept, content, problem):
        store, uri = kept
        storage.write(uri, content)

        with pytest.raises(CheckpointError, match=problem) as error:
            store.read()
        assert store.name in str(error.value)
        assert len(str(error.value)) < 600

    def test_a_position_is_refused_from_the_first_that_was_never_drawn(self, store, drawn):
        store.write(point(position=drawn))
        assert store.read().position == drawn

        store.write(point(position=drawn + 1))
        with pytest.raises(CheckpointError, match=rf"found position {drawn + 1}, allowed is one up to {drawn}, the"):
            store.read()

    def test_without_a_database_a_position_is_taken_as_it_is(self, tmp_path):
        store = FileStore(tmp_path / "cursor.json", FEED, has_database=False)
        store.write(point(position=10**9))

        assert str(store.read()).startswith(f"position {10**9} ")

    def test_a_clock_may_be_five_minutes_ahead(self):
        now = timezone.now()

        parse(iso(now + timedelta(minutes=4, seconds=50)).encode(), FEED, "x", has_database=False)
        with pytest.raises(CheckpointError, match=FUTURE):
            parse(iso(now + timedelta(minutes=5, seconds=10)).encode(), FEED, "x", has_database=False)

    def test_its_json_is_the_contracts_and_keeps_what_else_there_is(self):
        extra = {"downloadUrl": "https://x.test/d", "workflowUrl": "https://x.test/w", "position": 99}

        assert json.dumps(point(extra=extra).as_json()) == (
            f'{{"cursor": "{CURSOR}", "position": 3, "rows": 7, "updatedAt": "2026-01-22T05:00:00.654321Z", '
            f'"feed": "{FEED}", "downloadUrl": "https://x.test/d", "workflowUrl": "https://x.test/w"}}'
        )


class TestStores:
    def test_nothing_there_is_no_checkpoint_yet(self, store):
        assert store.read() is None

    def test_what_was_written_is_read_to_the_microsecond(self, store, drawn):
        written = point(position=drawn, cursor="2026-01-22T04:00:00.000001Z")

        store.write(written)

        assert store.read() == written

    def test_a_second_write_replaces_the_first(self, store, drawn):
        store.write(point(position=drawn))
        store.write(point(position=drawn - 1, rows=0))

        assert store.read() == point(position=drawn - 1, rows=0)

    def test_urls_survive(self, kept):
        store, _ = kept
        written = point(position=1, extra={"downloadUrl": "https://x.test/?a=1&b=ü", "workflowUrl": ""})

        store.write(written)

        assert store.read() == written

    def test_no_store_keeps_nothing(self):
        store: CheckpointStore = NoStore()
        store.write(point())

        assert store.read() is None


class TestFiles:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "cursor.json"

    def test_a_reader_never_sees_half_a_file(self, path):
        store = FileStore(path, FEED, has_database=False)
        versions = [point(extra={"downloadUrl": letter * 30_000}) for letter in "ab"]
        store.write(versions[0])
        stop = threading.Event()

        def keep_writing() -> None:
            while not stop.is_set():
                for version in versions:
                    store.write(version)

        thread = threading.Thread(target=keep_writing)
        thread.start()
        seen = [store.read() for _ in range(50)]
        stop.set()
        thread.join()

        assert all(found in versions for found in seen)

    def test_a_failing_write_leaves_the_old_file_and_no_scrap(self, path, monkeypatch):
        store = FileStore(path, FEED, has_database=False)
        store.write(point())

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)

        with pytest.raises(CheckpointError, match=r"cannot be written: .*cursor\.json: No space left on device"):
            store.write(point(position=4))
        assert store.read() == point()
        assert [file.name for file in path.parent.iterdir()] == ["cursor.json"]

    def test_a_path_that_cannot_be_read_or_written_is_named_and_no_missing_checkpoint(self, tmp_path):
        (tmp_path / "file").write_text("in the way")
        store = FileStore(tmp_path / "file" / "cursor.json", FEED)

        with pytest.raises(CheckpointError, match=r"cannot be read: .*/file/cursor\.json: Not a directory"):
            store.read()
        with pytest.raises(CheckpointError, match=r"cannot be written: .*/file/cursor\.json"):
            store.write(point())

    def test_a_directory_is_no_missing_checkpoint(self, tmp_path):
        with pytest.raises(CheckpointError, match="Is a directory"):
            FileStore(tmp_path, FEED).read()

    def test_a_symbolic_link_stays_one(self, tmp_path, path):
        path.symlink_to(tmp_path / "elsewhere.json")
        store = FileStore(path, FEED, has_database=False)

        store.write(point())

        assert path.is_symlink()
        assert store.read() == point()

    def test_a_relative_path_is_one_of_the_current_directory(self, path, monkeypatch):
        monkeypatch.chdir(path.parent)

        FileStore("cursor.json", FEED).write(point())

        assert json.loads(path.read_text())["position"] == 3


class TestS3:
    def test_an_unknown_bucket_is_no_missing_checkpoint(self, s3):
        with pytest.raises(CheckpointError, match=r"cannot read s3://no-such-bucket/cursor\.json: NoSuchBucket"):
            LakeStore("s3://no-such-bucket/cursor.json", FEED).read()
        with pytest.raises(CheckpointError, match="NoSuchBucket"):
            LakeStore("s3://no-such-bucket/cursor.json", FEED).write(point())


class TestReconcile:
    def test_the_same_checkpoint_needs_no_word(self):
        assert reconcile(point(), point(rows=0, extra={"downloadUrl": "x"})) == (point(), None)

    def test_a_copy_with_the_same_time_alone_is_the_same(self):
        assert reconcile(point(), point(position=None)) == (point(), None)

    @pytest.mark.parametrize(
        "mirror", [point(position=9), point(position=1), point(position=None, cursor="2026-01-22T04:00:00.123457Z")]
    )
    def test_the_database_wins_over_another_copy_whichever_is_ahead(self, mirror):
        used, note = reconcile(point(), mirror)

        assert used == point()
        assert note is not None
        assert str(mirror) in note
        assert f"the database's at position 3 (time {CURSOR})" in note
        assert "overwritten" in note

    def test_a_copy_is_taken_over_where_the_database_has_none(self):
        used, note = reconcile(None, point())

        assert used == point()
        assert note == f"The database holds no checkpoint; the copy's is taken over: position 3 (time {CURSOR})."

    def test_without_a_copy_the_database_counts(self):
        assert reconcile(point(), None) == (point(), None)

    def test_without_either_there_is_none(self):
        assert reconcile(None, None) == (None, None)

    def test_a_corrupt_copy_stops_nobody_who_has_the_database(self, tmp_path, drawn):
        database, mirror = DatabaseStore(FEED), FileStore(tmp_path / "cursor.json", FEED)
        database.write(point(position=drawn))
        (tmp_path / "cursor.json").write_text("{")

        used, note = starting_point(database, mirror)

        assert used == database.read()
        assert note is not None
        assert "cursor.json cannot be used" in note

    def test_a_copy_of_a_row_that_is_here_is_taken_over(self, tmp_path, drawn):
        mirror = FileStore(tmp_path / "cursor.json", FEED)
        at = GuardrailFollowUp.objects.get(position=drawn).created_at
        mirror.write(point(position=drawn, cursor=iso(at)))

        assert starting_point(DatabaseStore(FEED), mirror)[0] == point(position=drawn, cursor=iso(at))

    def test_a_copy_of_rows_that_a_restore_took_away_is_an_error(self, tmp_path, drawn):
        """New rows have got the positions that the lost ones had; to go on after them would skip those before."""
        mirror = FileStore(tmp_path / "cursor.json", FEED)
        mirror.write(point(position=drawn))

        with pytest.raises(CheckpointError, match=r"cursor\.json cannot be used: .* is of another history"):
            starting_point(DatabaseStore(FEED), mirror)

    def test_a_corrupt_copy_is_an_error_where_the_database_has_none(self, tmp_path, drawn):
        (tmp_path / "cursor.json").write_text("{")

        with pytest.raises(CheckpointError, match=r"cursor\.json cannot be used"):
            starting_point(DatabaseStore(FEED), FileStore(tmp_path / "cursor.json", FEED))


def positions() -> list[int]:
    return list(QuickOrderEvent.objects.order_by("position").values_list("position", flat=True))


def sent(run: ExportRun) -> list[str]:
    return [json.loads(line)["id"] for line in b"".join(storage.read(run.object_uri)).splitlines()]


def history(feed: str = "quick_order") -> list[tuple[str, int | None, int]]:
    moves = CheckpointMove.objects.of(feed)[::-1]
    return [(made.reason, made.from_position, made.to_position) for made in moves]


def in_threads(*actions) -> None:
    def closing(action) -> None:
        try:
            action()
        finally:
            connection.close()

    threads = [threading.Thread(target=closing, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def user(db) -> User:
    """Somebody at the desk."""
    return User.objects.create_user("olive")


@pytest.fixture
def narrow(monkeypatch):
    """Quick orders under a window of one, so that an object holds little more than what no other holds."""
    monkeypatch.setitem(FEEDS, "quick_order", replace(FEEDS["quick_order"], window=1))


@pytest.mark.django_db(transaction=True)
class TestHistory:
    def test_every_move_is_kept_with_where_from_where_to_and_by_which_run(self, user):
        capture_quick_orders(2)
        first = export()
        capture_quick_orders(1, recordedAt="2026-11-08T08:04:48.397001Z")
        asked = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.OPERATOR, user.pk)
        runs.perform(asked)

        two, one = CheckpointMove.objects.of("quick_order")

        assert (one.from_position, one.from_cursor, one.to_position) == (None, None, positions()[1])
        assert (one.run, one.user, one.reason) == (first, None, "export")
        assert (two.from_position, two.from_cursor) == (one.to_position, one.to_cursor)
        assert two.to_position == positions()[2]
        assert two.to_cursor == datetime(2026, 11, 8, 8, 4, 48, 397001, UTC)
        assert (two.run, two.user) == (asked, user)

    def test_the_history_outlives_its_runs_and_users(self, user):
        capture_quick_orders(1)
        run = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.OPERATOR, user.pk)
        runs.perform(run)

        run.delete()
        user.delete()

        assert CheckpointMove.objects.filter(run=None, user=None).count() == 1

    def test_a_move_goes_with_the_transaction_that_made_it(self, drawn):
        def move_and_fail() -> None:
            with transaction.atomic():
                move(FEED, point())
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            move_and_fail()

        assert not Checkpoint.objects.exists()
        assert history(FEED) == []

    def test_a_run_that_was_closed_moves_nothing(self, drawn):
        run = runs.request_run(FEEDS[FEED], ExportRun.Trigger.COMMAND)
        ExportRun.objects.update(state="failed")

        with pytest.raises(DatabaseError, match="closed by another process"):
            DatabaseStore(FEED, run).write(point())
        assert DatabaseStore(FEED).read() is None

    @pytest.mark.parametrize("missing", [{"position": None}, {"cursor": None}, {"feed": "quick_order"}])
    def test_it_needs_a_position_and_a_time_of_its_feed(self, drawn, missing):
        with pytest.raises(CheckpointError, match="needs a position and a time of that feed"):
            move(FEED, point(**missing))

    @pytest.mark.parametrize("is_first", [True, False])
    def test_moves_that_race_come_one_after_the_other(self, drawn, is_first):
        if not is_first:
            move(FEED, point(position=1))
        start = threading.Barrier(4)

        def moving(position: int):
            def act() -> None:
                start.wait(30)
                for _ in range(5):
                    with transaction.atomic():
                        move(FEED, point(position=position))

            return act

        in_threads(*map(moving, range(2, 6)))

        moves = history(FEED)
        assert len(moves) == 20 + (not is_first)
        assert moves[0][1] is None
        assert [before for _, before, _ in moves[1:]] == [after for _, _, after in moves[:-1]]
        assert Checkpoint.objects.get(pk=FEED).position == moves[-1][2]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("narrow")
class TestRewinds:
    def test_a_rewind_sends_the_rows_again_and_its_undoing_does_not(self, user):
        capture_quick_orders(6)
        ids = sent(export())
        first, *_ = positions()

        made = rewinds.rewind("quick_order", user, to_position=first + 2)
        again = sent(export())
        rewinds.rewind("quick_order", user, to_position=first)
        rewinds.undo(CheckpointMove.objects.of("quick_order")[0], user)
        after_undo = sent(export())

        assert made.user == user
        assert again == ids[3:]
        assert after_undo == ids[-1:]
        last = first + 5
        assert history() == [
            ("export", None, last),
            ("rewind", last, first + 2),
            ("export", first + 2, last),
            ("rewind", last, first),
            ("undo", first, last),
            ("export", last, last),
        ]

    def test_a_rewind_to_a_time_includes_the_rows_of_that_time(self, user):
        for second in range(5):
            capture_quick_orders(2, recordedAt=f"2026-01-08T08:00:0{second}.000001Z")
        ids = sent(export())

        made = rewinds.rewind("quick_order", user, to_time=datetime(2026, 1, 8, 8, 0, 3, 1, UTC))

        assert sent(export()) == ids[6:]
        assert made.to_position == positions()[5]
        assert made.to_cursor == datetime(2026, 1, 8, 8, 0, 3, 1, UTC)

    def test_a_row_of_an_earlier_time_that_comes_late_still_goes_out(self, user):
        capture_quick_orders(3, recordedAt="2026-01-08T08:00:05Z")
        export()
        rewinds.rewind("quick_order", user, to_time=datetime(2026, 1, 8, 8, 0, 5, tzinfo=UTC))
        capture_quick_orders(1, recordedAt="2026-01-08T08:00:01Z")

        assert len(sent(export())) == 4

    def test_everything_goes_out_again_from_position_0(self, user):
        capture_quick_orders(3, recordedAt="2026-01-08T08:00:05Z")
        ids = sent(export())

        rewinds.rewind("quick_order", user, to_position=0)

        checkpoint = Checkpoint.objects.get(pk="quick_order")
        assert (checkpoint.position, checkpoint.cursor) == (0, datetime(2026, 1, 8, 8, 0, 5, tzinfo=UTC))
        assert sent(export()) == ids

    def test_undoing_the_first_export_sends_it_again(self, user):
        capture_quick_orders(3)
        ids = sent(export())

        made = rewinds.undo(CheckpointMove.objects.get(), user)

        assert made.to_position == 0
        assert made.undoes == CheckpointMove.objects.of("quick_order")[1]
        assert sent(export()) == ids

    def test_an_undo_can_be_undone_but_no_move_twice(self, user):
        capture_quick_orders(3)
        export()
        back = rewinds.rewind("quick_order", user, to_position=0)
        forth = rewinds.undo(back, user)

        with pytest.raises(CheckpointError, match=r"only the newest move of quick_order can be undone, which is now: "):
            rewinds.undo(back, user)
        assert rewinds.undo(forth, user).to_position == 0

    def test_what_an_export_followed_cannot_be_undone(self, user):
        capture_quick_orders(3)
        export()
        back = rewinds.rewind("quick_order", user, to_position=0)
        export()

        with pytest.raises(CheckpointError, match="only the newest move"):
            rewinds.undo(back, user)

    def test_rows_of_the_last_run_stay(self, user):
        capture_quick_orders(3)
        export()

        rewinds.rewind("quick_order", user, to_position=0)

        assert Checkpoint.objects.get(pk="quick_order").rows == 3

    @pytest.mark.parametrize(
        ("target", "problem"),
        [
            ({"to_time": datetime(2300, 1, 1, tzinfo=UTC)}, "cannot rewind quick_order into the future, to 2300-01-01"),
            ({"to_time": datetime(2026, 1, 9, tzinfo=UTC)}, "no exported row of quick_order is of 2026-01-09"),
            ({"to_position": -1}, "to position -1: allowed is one from 0 to"),
            ({"to_position": 2**70}, "allowed is one from 0 to"),
            ({}, "give one of them"),
            ({"to_position": 0, "to_time": datetime(2026, 1, 1, tzinfo=UTC)}, "give one of them"),
        ],
    )
    def test_it_goes_back_alone(self, user, target, problem):
        capture_quick_orders(3, recordedAt="2026-01-08T08:00:00Z")
        export()

        with pytest.raises(CheckpointError, match=problem):
            rewinds.rewind("quick_order", user, **target)
        assert len(history()) == 1

    def test_it_cannot_go_to_where_it_is(self, user):
        capture_quick_orders(3)
        export()

        with pytest.raises(CheckpointError, match="before the checkpoint"):
            rewinds.rewind("quick_order", user, to_position=positions()[-1])

    def test_there_has_to_be_a_checkpoint(self, user):
        with pytest.raises(CheckpointError, match="quick_order has no checkpoint yet"):
            rewinds.rewind("quick_order", user, to_position=0)

    def test_both_are_refused_while_a_run_is_in_progress(self, user):
        capture_quick_orders(3)
        export()
        running = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.COMMAND)
        problems: list[str] = []

        def refused(act) -> None:
            with pytest.raises(CheckpointError) as error:
                act()
            problems.append(str(error.value))

        with claims.claimed(running):
            in_threads(
                lambda: refused(lambda: rewinds.rewind("quick_order", user, to_position=0)),
                lambda: refused(lambda: rewinds.undo(CheckpointMove.objects.get(), user)),
            )

        assert (
            problems
            == [
                "the checkpoint cannot move now: another run of quick_order is in progress; try again when it has ended"
            ]
            * 2
        )
        assert len(history()) == 1

    def test_a_run_whose_process_died_does_not_stand_in_the_way_nor_come_back(self, user):
        capture_quick_orders(3)
        export()
        dead = runs.request_run(FEEDS["quick_order"], ExportRun.Trigger.COMMAND)
        ExportRun.objects.filter(pk=dead.pk).update(state="running", started_at=timezone.now())

        rewinds.rewind("quick_order", user, to_position=0)

        with pytest.raises(DatabaseError):
            move("quick_order", point(feed="quick_order"), run=dead)
        assert Checkpoint.objects.get(pk="quick_order").position == 0

    def test_counting_what_goes_out_again_ends_somewhere(self, user, monkeypatch):
        monkeypatch.setattr(rewinds, "MAX_COUNTED", 3)
        capture_quick_orders(6)
        export()

        assert rewinds.plan("quick_order", to_position=positions()[3]).rows == 2
        assert rewinds.plan("quick_order", to_position=0).rows == 4
