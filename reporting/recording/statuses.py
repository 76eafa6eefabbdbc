"""The states of providers, as their follow-ups leave them in the order of time."""

from django.db import connection
from psycopg import sql

from reporting.models import GuardrailFollowUp, ProviderGuardrailStatus

_FOLLOW = sql.SQL(
    """
    INSERT INTO {states} AS known (provider_id, provider_name, is_paused, last_action, updated_at, last_follow_up_id)
    SELECT provider.id, named.provider_name, coalesce(switched.action = 'pause', false), newest.action,
        newest.created_at, newest.follow_up_id
    FROM unnest(%(providers)s::text[]) AS provider (id)
    CROSS JOIN LATERAL (
        SELECT * FROM {follow_ups} WHERE provider_id = provider.id ORDER BY created_at DESC, follow_up_id DESC LIMIT 1
    ) AS newest
    LEFT JOIN LATERAL (
        SELECT action FROM {follow_ups} WHERE provider_id = provider.id AND action IN ('pause', 'resume')
        ORDER BY created_at DESC, follow_up_id DESC LIMIT 1
    ) AS switched ON true
    LEFT JOIN LATERAL (
        SELECT provider_name FROM {follow_ups} WHERE provider_id = provider.id AND provider_name IS NOT NULL
        ORDER BY created_at DESC, follow_up_id DESC LIMIT 1
    ) AS named ON true
    ORDER BY provider.id
    ON CONFLICT (provider_id) DO UPDATE SET
        provider_name = coalesce(excluded.provider_name, known.provider_name),
        is_paused = excluded.is_paused,
        last_action = excluded.last_action,
        updated_at = excluded.updated_at,
        last_follow_up_id = excluded.last_follow_up_id
    WHERE known.updated_at IS NULL OR known.updated_at < excluded.updated_at
    """
).format(
    states=sql.Identifier(ProviderGuardrailStatus._meta.db_table),
    follow_ups=sql.Identifier(GuardrailFollowUp._meta.db_table),
)


def follow(provider_ids: set[str]) -> None:
    """Bring the states of providers up to date with follow-ups that were stored in another order than that of time.

    A state that is newer than all of them stays.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW, {"providers": sorted(provider_ids)})
