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
from reporting.models import ConversionFold, ConversionSnapshot, ConversionTotal, PricingExperimentSegment

_BATCH_POSITIONS = 10_000
#: A fold that reaches a multiple of this keeps a copy of the totals.
_SNAPSHOT_POSITIONS = 10_000
#: How long a fold waits for writers; the next one comes soon.
_TIMEOUT = timedelta(seconds=5)
SEGMENTS = sql.Identifier(PricingExperimentSegment._meta.db_table)
TOTALS = sql.Identifier(ConversionTotal._meta.db_table)
SNAPSHOTS = sql.Identifier(ConversionSnapshot._meta.db_table)
FOLD = sql.Identifier(ConversionFold._meta.db_table)
#: The columns of a total; the counts of several totals of one variant add up.
COLUMNS = sql.SQL(
    "slug, variant_key, order_count, journey_count, last_activity, last_event_id, variant_name, is_control"
)


def counted(after: sql.Composable, until: sql.Composable) -> sql.Composed:
    """SQL for the totals of the assignments after one position, up to another: a row for each slug and each variant.

    The row of a slug as a whole has no variant. Each order is looked up once, by index, whatever it was assigned to and
    however little the planner knows of the table.
    """
    newest = sql.SQL("ORDER BY recorded_at DESC, event_id DESC")
    first_seen = [
        sql.SQL(
            "SELECT slug, {variant} AS variant_key, count(*) AS count FROM (SELECT {key} FROM fresh"
            " EXCEPT SELECT {key} FROM known) AS unseen GROUP BY 1, 2"
        ).format(variant=variant, key=sql.SQL(", ").join(map(sql.Identifier, key)))
        for variant, key in (
            (sql.SQL("NULL::text"), ("slug", "order_id")),
            (sql.Identifier("variant_key"), ("slug", "variant_key", "order_id")),
            (sql.SQL("NULL::text"), ("slug", "order_id", "journey_id")),
            (sql.Identifier("variant_key"), ("slug", "variant_key", "order_id", "journey_id")),
        )
    ]
    return sql.SQL(
        """
        WITH fresh AS MATERIALIZED (SELECT * FROM {segments} WHERE position > {after} AND position <= {until}),
        known AS MATERIALIZED (
            SELECT DISTINCT seen.slug, seen.variant_key, seen.order_id, seen.journey_id
            FROM (SELECT DISTINCT order_id FROM fresh) AS orders CROSS JOIN LATERAL (
                SELECT * FROM {segments} AS earlier WHERE earlier.order_id = orders.order_id LIMIT ALL
            ) AS seen WHERE seen.position <= {after}
        ),
        orders_of AS ({slug_orders} UNION ALL {variant_orders}),
        journeys_of AS ({slug_journeys} UNION ALL {variant_journeys}),
        parts AS (
            SELECT slug, variant_key, max(recorded_at) AS last_activity,
                (array_agg(event_id {newest}))[1] AS last_event_id,
                (array_agg(variant_name {newest}))[1] AS variant_name,
                (array_agg(is_control {newest}))[1] AS is_control
            FROM fresh GROUP BY GROUPING SETS ((slug), (slug, variant_key))
        )
        SELECT parts.slug, parts.variant_key, coalesce(orders_of.count, 0) AS order_count,
            coalesce(journeys_of.count, 0) AS journey_count, last_activity, last_event_id, variant_name, is_control
        FROM parts
        LEFT JOIN orders_of ON orders_of.slug = parts.slug
            AND orders_of.variant_key IS NOT DISTINCT FROM parts.variant_key
        LEFT JOIN journeys_of ON journeys_of.slug = parts.slug
            AND journeys_of.variant_key IS NOT DISTINCT FROM parts.variant_key
        """
    ).format(
        segments=SEGMENTS,
        after=after,
        until=until,
        newest=newest,
        slug_orders=first_seen[0],
        variant_orders=first_seen[1],
        slug_journeys=first_seen[2],
        variant_journeys=first_seen[3],
    )


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
    counted=counted(sql.SQL("%(after)s"), sql.SQL("%(until)s")),
)
_KEEP = sql.SQL("INSERT INTO {snapshots} (position, {columns}) SELECT %(until)s, {columns} FROM {totals}").format(
    snapshots=SNAPSHOTS, columns=COLUMNS, totals=TOTALS
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
            if until // _SNAPSHOT_POSITIONS > state.position // _SNAPSHOT_POSITIONS:
                cursor.execute(_KEEP, {"until": until})
            state.position = until
            state.save(update_fields=["position"])
    return state.position
