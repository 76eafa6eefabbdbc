"""The conservation ledger: every event that came in is somewhere.

    received = accepted + duplicates + ignored + rejected
    accepted = exported + pending + expired

What a request brought is written with its rows (:class:`telemetry.models.IntakeTally`). The fold adds those tallies to
totals, and counts the rows of each feed up to the fence of :mod:`reporting.feeds.fence`, after which alone new ones
appear. A reader adds what is not folded yet, in one statement and so in one snapshot. In any snapshot a row and its
tally are both there or neither, so that nothing under way makes a remainder. docs/adr/0014-the-conservation-ledger.md
tells more.
"""

from dataclasses import asdict, dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Model
from psycopg import sql

from reporting.accounting import day_totals
from reporting.feeds import FEEDS, Feed
from reporting.feeds.checksums import content_sum_sql, day_sql, id_sum_of
from reporting.feeds.fence import FenceTimeoutError, fence
from reporting.feeds.shapes import model_of
from reporting.models import Checkpoint, ExpiredDay, RowTotal
from telemetry.models import ImportTotal, IntakeTally, IntakeTotal
from telemetry.store import NO_FEED

_BATCH_TALLIES = 5_000
_BATCH_POSITIONS = 50_000
#: How long a fold waits for writers; the next one comes soon.
_TIMEOUT = timedelta(seconds=5)
_TALLIES = sql.Identifier(IntakeTally._meta.db_table)
_TOTALS = sql.Identifier(IntakeTotal._meta.db_table)
_IMPORTS = sql.Identifier(ImportTotal._meta.db_table)
_ROWS = sql.Identifier(RowTotal._meta.db_table)
_EXPIRED = sql.Identifier(ExpiredDay._meta.db_table)


@dataclass(frozen=True)
class Entry:
    """One line of the ledger at one moment: a feed's, or that of unrecognised events, which is never exported.

    Attributes:
        received: events and rows that requests asked to store.
        accepted: of these, the ones that were new, and are stored.
        duplicates: the ones that were known.
        ignored: the ones whose name belongs to no feed of their route.
        rejected: the ones that cannot be stored.
        exported: rows that are there, at or before the checkpoint.
        pending: rows that are there, after the checkpoint.
        expired: rows that retention has pruned.
        minted: of the accepted ones, those that came without an id.
        imported: of the accepted ones, those that an import of the replaced system's brought.
    """

    received: int
    accepted: int
    duplicates: int
    ignored: int
    rejected: int
    exported: int
    pending: int
    expired: int
    minted: int
    imported: int

    @property
    def intake_remainder(self) -> int:
        """What the first equation leaves over."""
        return self.received - self.accepted - self.duplicates - self.ignored - self.rejected

    @property
    def rows_remainder(self) -> int:
        """What the second equation leaves over."""
        return self.accepted - self.exported - self.pending - self.expired

    def figures(self) -> dict[str, int]:
        return {
            **asdict(self),
            "intake_remainder": self.intake_remainder,
            "rows_remainder": self.rows_remainder,
        }


def note(model: type[Model], received: int, accepted: int, duplicates: int, rejected: int = 0) -> None:
    """Note what one request brought, in the transaction of its rows.

    Args:
        model: the model of the rows.
        received: how many rows it asked for.
        accepted: how many were stored.
        duplicates: how many were known.
        rejected: how many cannot be stored.
    """
    counts = {"received": received, "accepted": accepted, "duplicates": duplicates, "rejected": rejected}
    IntakeTally.objects.create(line=model._meta.label, ignored=0, **counts)


_FOLD_TALLIES = sql.SQL(
    """
    WITH batch AS MATERIALIZED (SELECT id FROM {tallies} ORDER BY id LIMIT {maximum} FOR UPDATE SKIP LOCKED),
    gone AS (DELETE FROM {tallies} WHERE id IN (SELECT id FROM batch) RETURNING *),
    added AS (
        INSERT INTO {totals} AS known (line, received, accepted, duplicates, ignored, rejected, minted)
        SELECT line, sum(received), sum(accepted), sum(duplicates), sum(ignored), sum(rejected), sum(minted)
        FROM gone GROUP BY line ORDER BY line
        ON CONFLICT (line) DO UPDATE SET
            received = known.received + excluded.received,
            accepted = known.accepted + excluded.accepted,
            duplicates = known.duplicates + excluded.duplicates,
            ignored = known.ignored + excluded.ignored,
            rejected = known.rejected + excluded.rejected,
            minted = known.minted + excluded.minted
    )
    SELECT count(*) FROM gone
    """
).format(tallies=_TALLIES, totals=_TOTALS, maximum=sql.Literal(_BATCH_TALLIES))


def fold() -> None:
    """Add what is new to the totals, in batches of one transaction each; two folds at once share the work."""
    while _fold_tallies() == _BATCH_TALLIES:
        pass
    for feed in FEEDS.values():
        _fold_rows(feed)


def _fold_tallies() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_FOLD_TALLIES)
        return int(cursor.fetchone()[0])


def _fold_rows(feed: Feed) -> None:
    try:
        settled = fence(model_of(feed), _TIMEOUT)
    except FenceTimeoutError:
        # Writers that do not end in time leave the rest to the next fold; readers count it meanwhile.
        return
    while _step(feed, settled) < settled:
        pass


def _step(feed: Feed, settled: int) -> int:
    """Count the rows of one batch, all and by day, and return the position that both have reached."""
    with transaction.atomic():
        total = locked_total(feed)
        until = min(settled, total.position + _BATCH_POSITIONS)
        if until > total.position:
            total.rows += _rows_between(feed, total.position, until)
            total.position = until
            total.save(update_fields=["position", "rows"])
        # An upgraded desk has counted its rows before, but not yet by day.
        until = min(settled, total.days_position + _BATCH_POSITIONS)
        if until > total.days_position:
            day_totals.add(feed, total.days_position, until)
            total.days_position = until
            total.save(update_fields=["days_position"])
    return min(total.position, total.days_position)


def locked_total(feed: Feed) -> RowTotal:
    """The total of a feed's rows, which no other transaction changes until this one ends."""
    RowTotal.objects.bulk_create([RowTotal(feed=feed.key)], ignore_conflicts=True)
    return RowTotal.objects.select_for_update().get(feed=feed.key)


def _rows_between(feed: Feed, after: int, until: int) -> int:
    return model_of(feed).objects.filter(position__gt=after, position__lte=until).count()


_EXPIRE = sql.SQL(
    """
    WITH gone AS (DELETE FROM {table} WHERE position = ANY(%(positions)s) RETURNING *),
    days AS (
        INSERT INTO {expired} AS known (feed, day, rows, id_sum, content_sum)
        SELECT %(feed)s, {day} AS day, count(*), {id_sum}, {content_sum} FROM gone GROUP BY 2 ORDER BY 2
        ON CONFLICT (feed, day) DO UPDATE SET
            rows = known.rows + excluded.rows,
            id_sum = known.id_sum + excluded.id_sum,
            content_sum = known.content_sum + excluded.content_sum
    )
    SELECT count(*), count(*) FILTER (WHERE position <= %(folded)s) FROM gone
    """
)


def expire(feed: Feed, positions: list[int]) -> int:
    """Delete rows for good, and book them as expired in the same transaction; return how many there were.

    Args:
        feed: the feed of the rows.
        positions: the rows, which the lake holds.
    """
    statement = _EXPIRE.format(
        table=sql.Identifier(model_of(feed)._meta.db_table),
        expired=_EXPIRED,
        day=sql.SQL(day_sql("postgres", feed.time_column)),
        id_sum=sql.SQL(id_sum_of("postgres", feed.key_column)),
        content_sum=sql.SQL(content_sum_sql("postgres", feed)),
    )
    with transaction.atomic(), connection.cursor() as cursor:
        total = locked_total(feed)
        day_totals.take_off(feed, positions, total.days_position)
        cursor.execute(statement, {"positions": positions, "feed": feed.key, "folded": total.position})
        deleted, counted = cursor.fetchone()
        total.rows -= counted
        total.save(update_fields=["rows"])
    return int(deleted)


_INTAKE = sql.SQL(
    """
    WITH intake AS (
        SELECT line, sum(received) AS received, sum(accepted) AS accepted, sum(duplicates) AS duplicates,
            sum(ignored) AS ignored, sum(rejected) AS rejected, sum(minted) AS minted
        FROM (
            SELECT line, received, accepted, duplicates, ignored, rejected, minted FROM {totals}
            UNION ALL SELECT line, received, accepted, duplicates, ignored, rejected, minted FROM {tallies}
        ) AS counted GROUP BY line
    )
    SELECT feed, coalesce(received, 0), coalesce(accepted, 0), coalesce(duplicates, 0), coalesce(ignored, 0),
        coalesce(rejected, 0), present - pending, pending, expired, coalesce(minted, 0),
        coalesce((SELECT rows FROM {imports} WHERE {imports}.line = stored.line), 0)
    FROM ({feeds}) AS stored LEFT JOIN intake ON intake.line = stored.line
    """
)
_STORED = sql.SQL(
    """
    SELECT {key} AS feed, {line} AS line,
        coalesce((SELECT rows FROM {rows} WHERE feed = {key}), 0) + (
            SELECT count(*) FROM {table} WHERE position > {folded}
                AND position > coalesce((SELECT position FROM {rows} WHERE feed = {key}), 0)
        ) AS present,
        {pending} AS pending,
        (SELECT coalesce(sum(rows), 0) FROM {expired} WHERE feed = {key}) AS expired
    """
)


def read() -> dict[str, Entry]:
    """Every line of the ledger, of one moment, by the feed's key; :data:`telemetry.store.NO_FEED` for no feed.

    It reads what was not folded or not exported yet, so fold before.
    """
    return _read(counts_pending=True)


def remainders() -> dict[str, int]:
    """What the equations of each line leave over in all, by the same keys; it reads what was not folded yet alone.

    Exported and pending rows are those that are there, so how many of them wait need not be counted.
    """
    entries = _read(counts_pending=False).items()
    return {key: abs(entry.intake_remainder) + abs(entry.rows_remainder) for key, entry in entries}


def _read(*, counts_pending: bool) -> dict[str, Entry]:
    # Known numbers let PostgreSQL see that few rows lie after them. A fold may move on meanwhile, and only forwards.
    folded = dict(RowTotal.objects.values_list("feed", "position"))
    checkpoints = dict(Checkpoint.objects.values_list("feed", "position"))
    stored = [
        _stored(feed, folded.get(feed.key, 0), checkpoints.get(feed.key, 0) if counts_pending else None)
        for feed in FEEDS.values()
    ]
    nothing = sql.SQL("SELECT {0}, {0}, 0, 0, 0").format(sql.Literal(NO_FEED))
    feeds = sql.SQL(" UNION ALL ").join([*stored, nothing])
    with connection.cursor() as cursor:
        cursor.execute(_INTAKE.format(totals=_TOTALS, tallies=_TALLIES, imports=_IMPORTS, feeds=feeds))
        return {key: Entry(*map(int, figures)) for key, *figures in cursor.fetchall()}


def _stored(feed: Feed, folded: int, checkpoint: int | None) -> sql.Composed:
    """What is stored of a feed, and after ``checkpoint`` waits; None: no row is counted as waiting."""
    model = model_of(feed)
    table = sql.Identifier(model._meta.db_table)
    waiting = sql.SQL("(SELECT count(*) FROM {} WHERE position > {})").format(table, sql.Literal(checkpoint))
    return _STORED.format(
        key=sql.Literal(feed.key),
        line=sql.Literal(model._meta.label),
        table=table,
        rows=_ROWS,
        folded=sql.Literal(folded),
        pending=sql.Literal(0) if checkpoint is None else waiting,
        expired=_EXPIRED,
    )
