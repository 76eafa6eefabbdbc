"""Recording of guardrail follow-ups: the only place that writes them and the providers' states."""

import uuid
from collections.abc import Iterable
from contextlib import nullcontext

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from psycopg import sql
from psycopg.types.json import Jsonb

from reporting.accounting import ledger
from reporting.alerts import digests
from reporting.alerts.links import conversions_url
from reporting.feeds import FEEDS
from reporting.feeds.filters import ColumnFilter
from reporting.feeds.shapes import Row, wire
from reporting.models import AuditEntry, GuardrailFollowUp, ProviderGuardrailStatus
from reporting.recording import idempotency
from smplat.lib import prepared
from smplat.lib.times import iso
from telemetry.models import IntakeTally

FEED = FEEDS["guardrail_followups"]
#: Keeps a list of follow-ups to those of one provider.
PROVIDER = ColumnFilter(FEED, "provider_id")
_FROM_THE_SERVER = frozenset({FEED.key_column, FEED.time_column})
#: The columns that a request fills.
GIVEN_COLUMNS = tuple(column for column in FEED.columns if column.name not in _FROM_THE_SERVER)
PLATFORM_COLUMNS = tuple(column.name for column in GIVEN_COLUMNS if column.wire[0].startswith("platformContext."))
# What the statement knows better than the request.
_FROM_THE_STATEMENT = (FEED.time_column, "provider_name", *PLATFORM_COLUMNS)
_PAUSES = {GuardrailFollowUp.Action.PAUSE.value: True, GuardrailFollowUp.Action.RESUME.value: False}


def _listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(list(parts))


def _value(name: str) -> sql.Composable:
    if name == "provider_name":
        return sql.SQL("provider.provider_name")
    given = sql.Placeholder(name)
    return sql.SQL("coalesce({}, last.{})").format(given, sql.Identifier(name)) if name in PLATFORM_COLUMNS else given


# The upsert locks the provider's row, made on first sight, before it computes what it sets. So racing follow-ups of a
# provider take turns, each gets a time after the one before whatever the clock does, and the last one's state stays.
# One statement spares the round trips in which others would wait for the lock. A provider that is given by its id alone
# keeps the name that the desk knows, and the platform of its last follow-up.
_RECORD = (
    sql.SQL(
        """
    WITH last AS (
        SELECT {platform} FROM {states} JOIN {follow_ups} ON follow_up_id = last_follow_up_id
        WHERE {states}.provider_id = %(provider_id)s AND %(inherits)s
    ), provider AS (
        INSERT INTO {states} AS known
            (provider_id, provider_name, is_paused, last_action, updated_at, last_follow_up_id)
        VALUES (%(provider_id)s, %(provider_name)s, coalesce(%(pauses)s, false), %(action)s, clock_timestamp(),
            %(follow_up_id)s)
        ON CONFLICT (provider_id) DO UPDATE SET
            provider_name = coalesce(nullif(excluded.provider_name, ''), known.provider_name),
            is_paused = coalesce(%(pauses)s, known.is_paused),
            last_action = excluded.last_action,
            updated_at = greatest(clock_timestamp(), known.updated_at + interval '1 microsecond'),
            last_follow_up_id = excluded.last_follow_up_id
        RETURNING *
    ), follow_up AS (
        INSERT INTO {follow_ups} (follow_up_id, created_at, attachments, {columns})
        SELECT %(follow_up_id)s::uuid, provider.updated_at, %(attachments)s::jsonb, {values}
        FROM provider LEFT JOIN last ON true
        RETURNING {returned}
    ), tally AS (
        INSERT INTO {tallies} (line, received, accepted, duplicates, ignored, rejected)
        SELECT {line}, 1, count(*), 0, 0, 0 FROM follow_up
    )
    SELECT provider.is_paused, follow_up.* FROM provider, follow_up
    """
    )
    .format(
        states=sql.Identifier(ProviderGuardrailStatus._meta.db_table),
        follow_ups=sql.Identifier(GuardrailFollowUp._meta.db_table),
        tallies=sql.Identifier(IntakeTally._meta.db_table),
        line=sql.Literal(GuardrailFollowUp._meta.label),
        platform=_listed(map(sql.Identifier, PLATFORM_COLUMNS)),
        columns=_listed(sql.Identifier(column.name) for column in GIVEN_COLUMNS),
        values=_listed(_value(column.name) for column in GIVEN_COLUMNS),
        returned=_listed(map(sql.Identifier, _FROM_THE_STATEMENT)),
    )
    .as_bytes(None)
)


def record(values: Row, key: str | None = None, operator: User | None = None) -> Row:
    """Record a follow-up, bring the provider's state up to date, and queue its digest for Slack.

    Args:
        values: the row's values by the names of :data:`GIVEN_COLUMNS`, and ``attachments`` where there are any. What
            the desk knows by itself may be None: the provider's name and platform, and the link of a cursor.
        key: the caller's idempotency key; a repetition records nothing and gets the first answer.
        operator: who did it, for the audit log; None for a machine.

    Returns:
        ``entry`` and ``status`` in wire shape.

    Raises:
        reporting.recording.idempotency.KeyReusedError: ``key`` came before with other values.
    """
    # The follow-up is one statement, and so a transaction by itself; what goes with it needs one around both.
    has_company = key is not None or operator is not None or settings.GUARDRAIL_FOLLOWUP_SLACK_WEBHOOK
    follow_up_id = uuid.uuid4()
    with transaction.atomic() if has_company else nullcontext():
        answer = idempotency.once(key, values, lambda: _record(follow_up_id, values, operator))
        if answer["entry"]["followUpId"] != str(follow_up_id):
            ledger.note(GuardrailFollowUp, received=1, accepted=0, duplicates=1)
    return answer


def _record(follow_up_id: uuid.UUID, values: Row, operator: User | None) -> Row:
    attachments = Jsonb(values["attachments"]) if values.get("attachments") else None
    cursor, href = values["conversion_cursor"], values["conversion_href"]
    values = {**values, "conversion_href": conversions_url(cursor) if cursor and not href else href}
    inherits = not values["provider_name"] and all(values[name] is None for name in PLATFORM_COLUMNS)
    known = {"follow_up_id": follow_up_id, "pauses": _PAUSES.get(values["action"]), "inherits": inherits}
    is_paused, *found = prepared.execute(_RECORD, {**values, "attachments": attachments, **known})
    recorded = {**values, "follow_up_id": follow_up_id, **dict(zip(_FROM_THE_STATEMENT, found, strict=True))}
    # In the same transaction: a committed follow-up always has its digest, with the state that it brought about.
    digests.queue_followup(follow_up_id)
    if operator is not None:
        details = {"followUpId": str(follow_up_id), "action": values["action"]}
        AuditEntry.objects.log(operator, AuditEntry.Action.RECORD_FOLLOWUP, values["provider_id"], **details)
    status = ProviderGuardrailStatus(
        provider_id=values["provider_id"],
        provider_name=recorded["provider_name"],
        is_paused=is_paused,
        last_action=values["action"],
        updated_at=recorded[FEED.time_column],
        last_follow_up_id=follow_up_id,
    )
    return {"entry": wire(FEED, recorded), "status": status_wire(status)}


def status_wire(status: ProviderGuardrailStatus) -> Row:
    """A provider's state in wire shape."""
    return {
        "providerId": status.provider_id,
        "providerName": status.provider_name,
        "isPaused": status.is_paused,
        "lastAction": status.last_action,
        "updatedAt": iso(status.updated_at) if status.updated_at else None,
        "lastFollowUpId": str(status.last_follow_up_id) if status.last_follow_up_id else None,
    }
