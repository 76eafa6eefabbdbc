"""Running totals of the conversions: assignments are counted once, when they are new.

An order counts once for an experiment and once for each of its variants, by the first of its assignments in the order
of positions. The fold adds what lies between its own position and the fence of :mod:`reporting.feeds.fence`. Up to the
fence no position can appear any more, so whether an assignment is its order's first never changes afterwards. A reader
adds the rest, the assignments after the fold's position, in the same statement: it sees one snapshot, in which every
assignment lies either in the totals or after them.
"""

from datetime import timedelta

from django.db import connection, transaction
from psycopg import sql

from reporting.feeds.fence import FenceTimeoutError, fence
from reporting.models import ConversionFold, ConversionTotal, PricingExperimentSegment

_BATCH_POSITIONS = 50_000
#: How long a fold waits for writers; the next one comes soon.
_TIMEOUT = timedelta(seconds=5)
SEGMENTS = sql.Identifier(PricingExperimentSegment._meta.db_table)
TOTALS = sql.Identifier(ConversionTotal._meta.db_table)
FOLD = sql.Identifier(ConversionFold._meta.db_table)
#: The columns of a total; the counts of several totals of one variant add up.
COLUMNS = sql.SQL(
    "slug, variant_key, order_count, journey_count, last_activity, last_event_id, variant_name, is_control"
)


def counted(condition: sql.Composable) -> sql.Composed:
    """SQL for the totals of the assignments ``fresh`` that meet ``condition``, a row for each slug and each variant.

    The row of a slug as a whole has no variant. A journey belongs to one order, so that the order's assignments tell
    whether the journey was seen before.
    """
    newest = sql.SQL("ORDER BY fresh.recorded_at DESC, fresh.event_id DESC")
    return sql.SQL(
        """
        SELECT fresh.slug, fresh.variant_key,
            CASE WHEN GROUPING(fresh.variant_key) = 1 THEN count(*) FILTER (WHERE earlier.slug IS NOT TRUE)
                ELSE count(*) FILTER (WHERE earlier.variant IS NOT TRUE) END AS order_count,
            CASE WHEN GROUPING(fresh.variant_key) = 1 THEN count(*) FILTER (WHERE earlier.slug_journey IS NOT TRUE)
                ELSE count(*) FILTER (WHERE earlier.variant_journey IS NOT TRUE) END AS journey_count,
            max(fresh.recorded_at) AS last_activity,
            (array_agg(fresh.event_id {newest}))[1] AS last_event_id,
            (array_agg(fresh.variant_name {newest}))[1] AS variant_name,
            (array_agg(fresh.is_control {newest}))[1] AS is_control
        FROM {segments} AS fresh CROSS JOIN LATERAL (
            SELECT bool_or(true) AS slug, bool_or(variant_key = fresh.variant_key) AS variant,
                bool_or(journey_id = fresh.journey_id) AS slug_journey,
                bool_or(journey_id = fresh.journey_id AND variant_key = fresh.variant_key) AS variant_journey
            FROM {segments} AS known
            WHERE known.order_id = fresh.order_id AND known.slug = fresh.slug AND known.position < fresh.position
        ) AS earlier
        WHERE {condition}
        GROUP BY GROUPING SETS ((fresh.slug), (fresh.slug, fresh.variant_key))
        """
    ).format(newest=newest, segments=SEGMENTS, condition=condition)


_ADD = sql.SQL(
    """
    INSERT INTO {totals} AS known ({columns}) {counted}
    ON CONFLICT (slug, variant_key) DO UPDATE SET
        order_count = known.order_count + excluded.order_count,
        journey_count = known.journey_count + excluded.journey_count,
        (last_activity, last_event_id, variant_name, is_control) = (
            SELECT newest.* FROM (VALUES
                (known.last_activity, known.last_event_id, known.variant_name, known.is_control),
                (excluded.last_activity, excluded.last_event_id, excluded.variant_name, excluded.is_control)
            ) AS newest (at, event_id, name, is_control) ORDER BY at DESC, event_id DESC LIMIT 1
        )
    """
).format(
    totals=TOTALS,
    columns=COLUMNS,
    counted=counted(sql.SQL("fresh.position > %(after)s AND fresh.position <= %(until)s")),
)


def fold() -> int:
    """Add the assignments that are settled to the totals; return the position up to which they now count.

    Writers that do not end in time leave the rest to the next fold; readers count it meanwhile.
    """
    try:
        settled = fence(PricingExperimentSegment, _TIMEOUT)
    except FenceTimeoutError:
        settled = 0
    reached = _step(settled)
    while reached < settled:
        reached = _step(settled)
    return reached


def _step(settled: int) -> int:
    """Fold one batch, in a transaction that no other fold shares."""
    with transaction.atomic(), connection.cursor() as cursor:
        ConversionFold.objects.bulk_create([ConversionFold()], ignore_conflicts=True)
        state = ConversionFold.objects.select_for_update().get()
        until = min(settled, state.position + _BATCH_POSITIONS)
        if until > state.position:
            cursor.execute(_ADD, {"after": state.position, "until": until})
            state.position = until
            state.save(update_fields=["position"])
    return state.position
