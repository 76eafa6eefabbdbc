"""Conversions: how many orders and journeys each pricing experiment and each of its variants reached, over all rows."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg import sql

from reporting.models import PricingExperimentSegment
from reporting.shapes import Row, iso

# The recursive part jumps from slug to slug through the index, so that finding a page does not read the rows of the
# others; one slug more than the page shows tells whether there is a next page. The grouping sets count an experiment
# and its variants in one pass, since an order that saw two variants counts once for the experiment. A variant's name
# and cohort are those of its newest assignment.
_CONVERSIONS = sql.SQL(
    """
    WITH RECURSIVE page (slug, number) AS (
        (SELECT slug, 1 FROM {table} WHERE slug > %(after)s ORDER BY slug LIMIT 1)
        UNION ALL
        SELECT (SELECT next.slug FROM {table} AS next WHERE next.slug > page.slug ORDER BY next.slug LIMIT 1),
               number + 1
        FROM page WHERE page.slug IS NOT NULL AND number <= %(limit)s
    )
    SELECT slug, variant_key, count(DISTINCT order_id), count(DISTINCT journey_id), max(recorded_at),
           (array_agg(variant_name ORDER BY recorded_at DESC, event_id DESC))[1],
           (array_agg(is_control ORDER BY recorded_at DESC, event_id DESC))[1],
           EXISTS (SELECT FROM page WHERE number > %(limit)s AND page.slug IS NOT NULL)
    FROM {table} WHERE slug IN (SELECT page.slug FROM page WHERE number <= %(limit)s)
    GROUP BY GROUPING SETS ((slug), (slug, variant_key))
    ORDER BY slug, variant_key NULLS FIRST
    """
).format(table=sql.Identifier(PricingExperimentSegment._meta.db_table))


@dataclass(frozen=True)
class Conversions:
    """One page: a metric for each experiment in the order of slugs, and the next page's cursor, None on the last."""

    metrics: list[Row]
    next_cursor: str | None


def page(limit: int, after: str | None = None) -> Conversions:
    """The conversions of the first ``limit`` experiments behind the slug ``after``, by one query."""
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


def _variant(key: str, order_count: int, journey_count: int, _: Any, name: str | None, is_control: bool) -> Row:
    return {
        "variantKey": key,
        "variantName": name,
        "isControl": is_control,
        "orderCount": order_count,
        "journeyCount": journey_count,
    }
