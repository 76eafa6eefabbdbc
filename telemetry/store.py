"""Storing of captured events: the only place that writes the telemetry tables.

One prepared statement stores a request's events, whatever their number and kind.
"""

from itertools import combinations
from typing import Any

import orjson
from django.db import OperationalError, connection
from psycopg import sql

from smplat import prepared
from telemetry.models import GuardrailWorkflowEvent, QuickOrderEvent, TelemetryEvent

Row = dict[str, Any]
Model = type[TelemetryEvent]


def insert(rows: dict[Model, list[Row]]) -> int:
    """Insert ``rows`` and return how many were new; those with a known id are left out.

    The rows are committed when this returns, unless the caller holds a transaction open.

    Raises:
        django.db.DatabaseError: nothing was stored.
    """
    models = _in_order(rows)
    parameters = [orjson.dumps(rows[model]).decode() for model in models]
    try:
        (count,) = prepared.execute(_STATEMENTS[models], parameters)
    except OperationalError:
        # To send the rows again is safe: whatever was stored by then counts as a duplicate.
        if not prepared.drop_lost_session():
            raise
        (count,) = prepared.execute(_STATEMENTS[models], parameters)
    return int(count)


def _in_order(models: Any) -> tuple[Model, ...]:
    """Every writer takes the tables in this order, so that two of them cannot wait for each other."""
    return tuple(sorted(models, key=lambda model: model._meta.db_table))


def _statement(models: tuple[Model, ...]) -> bytes:
    """The one statement that inserts into the tables of ``models`` and counts the new rows."""
    names = [sql.Identifier(model._meta.db_table) for model in models]
    inserts = [sql.SQL("{} AS ({})").format(name, _insert(model)) for name, model in zip(names, models, strict=True)]
    counts = [sql.SQL("(SELECT count(*) FROM {})").format(sql.Identifier(model._meta.db_table)) for model in models]
    return sql.SQL("WITH {} SELECT {}").format(sql.SQL(", ").join(inserts), sql.SQL(" + ").join(counts)).as_bytes(None)


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
        ") AS numbered ORDER BY event_id ON CONFLICT (event_id) DO NOTHING RETURNING 1"
    ).format(
        table=sql.Identifier(model._meta.db_table),
        columns=columns,
        # PostgreSQL names the sequence of an identity column so.
        sequence=sql.Literal(f"{model._meta.db_table}_position_seq"),
        typed=typed,
    )


_MODELS = _in_order((QuickOrderEvent, GuardrailWorkflowEvent))
_STATEMENTS = {models: _statement(models) for count in (1, 2) for models in combinations(_MODELS, count)}
