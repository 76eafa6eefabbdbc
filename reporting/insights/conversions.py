"""Conversions: how many orders and journeys each pricing experiment and each of its variants reached, over all rows."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg import sql

from reporting.feeds.shapes import Row
from reporting.insights.conversion_totals import COLUMNS, FOLD, TOTALS, counted
from smplat.lib.times import iso

# The totals, and the assignments that are not in them yet, in one statement and so in one snapshot. One slug more than
# the page shows tells whether there is a next page.
_CONVERSIONS = sql.SQL(
    """
    WITH tail AS ({counted}),
    page AS (
        SELECT slug FROM (
            (SELECT slug FROM {totals} WHERE variant_key IS NULL AND slug > %(after)s ORDER BY slug LIMIT %(limit)s + 1)
            UNION
            SELECT slug FROM tail WHERE slug > %(after)s
        ) AS slugs ORDER BY slug LIMIT %(limit)s + 1
    ),
    parts AS (
        SELECT {columns} FROM {totals} WHERE slug IN (SELECT slug FROM page)
        UNION ALL
        SELECT {columns} FROM tail WHERE slug IN (SELECT slug FROM page)
    )
    SELECT slug, variant_key, sum(order_count)::bigint, sum(journey_count)::bigint, max(last_activity),
        (array_agg(variant_name ORDER BY last_activity DESC, last_event_id DESC))[1],
        (array_agg(is_control ORDER BY last_activity DESC, last_event_id DESC))[1],
        (SELECT count(*) FROM page) > %(limit)s
    FROM parts WHERE slug IN (SELECT slug FROM page ORDER BY slug LIMIT %(limit)s)
    GROUP BY slug, variant_key ORDER BY slug, variant_key NULLS FIRST
    """
).format(
    totals=TOTALS,
    columns=COLUMNS,
    counted=counted(sql.SQL("coalesce((SELECT position FROM {}), 0)").format(FOLD), sql.Literal(2**63 - 1)),
)


@dataclass(frozen=True)
class Conversions:
    """One page: a metric for each experiment in the order of slugs, and the next page's cursor, None on the last."""

    metrics: list[Row]
    next_cursor: str | None


def page(limit: int, after: str | None = None) -> Conversions:
    """The conversions of the first ``limit`` experiments after the slug ``after``, by one query."""
    with connection.cursor() as cursor:
        cursor.execute(_CONVERSIONS, {"limit": limit, "after": after or ""})
        rows = cursor.fetchall()
    metrics: dict[str, Row] = {}
    for slug, variant_key, *counts in rows:
        # The row of an experiment as a whole has no variant, and comes before those of its variants.
        if variant_key is None:
            metrics[slug] = _metric(slug, *counts[:3])
        else:
            metrics[slug]["variants"].append(_variant(variant_key, *counts[:5]))
    has_next = bool(rows) and rows[-1][-1]
    return Conversions(list(metrics.values()), rows[-1][0] if has_next else None)


def _metric(slug: str, order_count: int, journey_count: int, last_activity: Any) -> Row:
    return {
        "slug": slug,
        "orderCount": order_count,
        "journeyCount": journey_count,
        "lastActivity": iso(last_activity),
        "variants": [],
    }


def _variant(key: str, order_count: int, journey_count: int, _: Any, name: str | None, is_control: bool | None) -> Row:
    return {
        "variantKey": key,
        "variantName": name,
        "isControl": is_control,
        "orderCount": order_count,
        "journeyCount": journey_count,
    }
