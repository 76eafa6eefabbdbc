"""Storing of captured events, with what requests brought for the ledger: the only place that inserts events.

One prepared statement stores events, whatever their number and kind, and what their requests brought for the ledger.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import orjson
from django.db import OperationalError, connection
from psycopg import sql

from smplat.lib import prepared
from telemetry.models import IntakeTally, Refusal, TelemetryEvent

Row = dict[str, Any]
Model = type[TelemetryEvent]
#: The ledger's line of events that belong to no feed of their route.
NO_FEED = ""


def insert(rows: dict[Model, list[Row]], tallies: list[Row], refusals: list[Row]) -> dict[Model, set[str]]:
    """Insert ``rows`` and return which ids were new in each table; rows with a known id are left out.

    Rows and tallies are committed when this returns, unless the caller holds a transaction open.

    Args:
        rows: the rows of each table, no two with the same id.
        tallies: what the requests brought, by line of the ledger: ``line``, ``received``, ``given`` (how many events
            the line's rows were made of), ``ignored``, ``rejected`` and ``minted``.
        refusals: what is kept of events that cannot be stored; see :func:`telemetry.refusals.row`.

    Raises:
        django.db.DatabaseError: nothing was stored.
    """
    insertion = Insertion(rows, tallies, refusals)
    try:
        new = prepared.execute(insertion.statement, insertion.parameters)
    except OperationalError:
        # To send the rows again is safe: whatever was stored by then counts as a duplicate.
        if not prepared.drop_lost_session():
            raise
        new = prepared.execute(insertion.statement, insertion.parameters)
    return insertion.new_of(new)


class Insertion:
    """The statement of :func:`insert`, for whoever executes it; the arguments are the same.

    Attributes:
        statement: to be prepared; it gives one row.
        parameters: its parameters.
    """

    def __init__(self, rows: dict[Model, list[Row]], tallies: list[Row], refusals: list[Row]) -> None:
        self._models = _in_order(rows)
        self.statement = _statement(self._models, has_refusals=bool(refusals))
        sent = (*(rows[model] for model in self._models), tallies, *([refusals] if refusals else []))
        self.parameters = [orjson.dumps(part).decode() for part in sent]

    def new_of(self, row: Sequence[Any]) -> dict[Model, set[str]]:
        """What :func:`insert` returns, from the row that the statement gave."""
        return {model: set(ids or ()) for model, ids in zip(self._models, row, strict=False)}


def _in_order(models: Any) -> tuple[Model, ...]:
    """Every writer takes the tables in this order, so that two of them cannot wait for each other."""
    return tuple(sorted(models, key=lambda model: model._meta.db_table))


@cache
def _statement(models: tuple[Model, ...], *, has_refusals: bool) -> bytes:
    """The one statement that inserts into the tables of ``models``, gives the ids of new rows and keeps the tallies.

    Few requests have anything refused, so the others do not carry what keeps that.
    """
    names = [sql.Identifier(model._meta.db_table) for model in models]
    inserts = [sql.SQL("{} AS ({}), ").format(name, _insert(model)) for name, model in zip(names, models, strict=True)]
    new: list[sql.Composable] = [sql.SQL("(SELECT array_agg(event_id::text) FROM {})").format(name) for name in names]
    counts = [
        sql.SQL("UNION ALL SELECT {}, count(*) FROM {}").format(sql.Literal(model._meta.label), name)
        for name, model in zip(names, models, strict=True)
    ]
    return _WITH_TALLIES.format(
        inserts=sql.SQL("").join(inserts),
        counts=sql.SQL(" ").join(counts),
        tallies=sql.Identifier(IntakeTally._meta.db_table),
        refusals=_REFUSALS.format(sql.Identifier(Refusal._meta.db_table)) if has_refusals else sql.SQL(""),
        new=sql.SQL(", ").join(new or [sql.NULL]),
    ).as_bytes(None)


# What was accepted is counted from the rows that the tables took, and not from what the program believes.
_WITH_TALLIES = sql.SQL(
    """
    WITH {inserts} stored (line, accepted) AS (SELECT NULL::text, 0::bigint {counts}), tally AS (
        INSERT INTO {tallies} (line, received, accepted, duplicates, ignored, rejected, minted)
        SELECT sent.line, sent.received, coalesce(accepted, 0), sent.given - coalesce(accepted, 0), sent.ignored,
            sent.rejected, sent.minted
        FROM jsonb_to_recordset(%s::jsonb)
            AS sent (
                line text, received integer, given integer, ignored integer, rejected integer, minted integer
            )
        LEFT JOIN stored ON stored.line = sent.line
    ) {refusals}
    SELECT {new}
    """
)
_REFUSALS = sql.SQL(
    """
    , refused AS (
        INSERT INTO {} (route, line, index, field, reason, origin, client, event)
        SELECT route, line, index, field, reason, origin, client, event FROM jsonb_to_recordset(%s::jsonb) AS sent (
            route text, line text, index integer, field text, reason text, origin text, client text, event text
        )
    )
    """
)


def _insert(model: Model) -> sql.Composed:
    """The INSERT of a JSON array of rows.

    Positions are drawn in the client's order, before the rows are sorted by id. The sort makes concurrent writers of
    the same ids wait for each other in one order, so that they cannot deadlock.
    """
    fields = [field for field in model._meta.concrete_fields if field.name != "position"]
    columns = sql.SQL(", ").join([sql.Identifier(field.attname) for field in fields])
    typed = sql.SQL(", ").join(
        [sql.SQL(f"{{}} {field.db_type(connection)}").format(sql.Identifier(field.attname)) for field in fields]
    )
    return sql.SQL(
        "INSERT INTO {table} (position, {columns}) SELECT position, {columns} FROM ("
        "SELECT nextval({sequence}) AS position, sent.* FROM jsonb_to_recordset(%s::jsonb) AS sent ({typed})"
        ") AS numbered ORDER BY event_id ON CONFLICT (event_id) DO NOTHING RETURNING event_id"
    ).format(
        table=sql.Identifier(model._meta.db_table),
        columns=columns,
        # PostgreSQL names the sequence of an identity column so.
        sequence=sql.Literal(f"{model._meta.db_table}_position_seq"),
        typed=typed,
    )
