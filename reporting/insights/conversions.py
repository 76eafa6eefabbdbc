"""Conversions: how many orders and journeys each pricing experiment and each of its variants reached, over all rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from psycopg import sql

from reporting.feeds.fence import settled_position
from reporting.feeds.shapes import Row
from reporting.insights.conversion_totals import COLUMNS, FOLD, SNAPSHOTS, TOTALS, counted
from reporting.models import ConversionFold, PricingExperimentSegment
from smplat.lib.times import iso


def _statement(totals: sql.Composable, start: sql.Composable, until: sql.Composable) -> sql.Composed:
    """SQL for a page: the totals up to ``start``, and the assignments from there to ``until``, in one snapshot."""
    # One slug more than the page shows tells whether there is a next page.
    return sql.SQL(
        """
        WITH tail AS ({counted}),
        page AS (
            SELECT slug FROM (
                (
                    SELECT slug FROM {totals} WHERE variant_key IS NULL AND slug > %(after)s
                    ORDER BY slug LIMIT %(limit)s + 1
                )
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
    ).format(totals=totals, columns=COLUMNS, counted=counted(start, until))


_LIVE = _statement(TOTALS, sql.SQL("coalesce((SELECT position FROM {}), 0)").format(FOLD), sql.Literal(2**63 - 1))
_SNAPSHOT = sql.SQL("coalesce((SELECT max(position) FROM {} WHERE position <= %(as_of)s), 0)").format(SNAPSHOTS)
_AS_OF = _statement(
    sql.SQL("(SELECT * FROM {} WHERE position = {}) AS totals").format(SNAPSHOTS, _SNAPSHOT),
    _SNAPSHOT,
    sql.SQL("%(as_of)s"),
)


@dataclass(frozen=True)
class Conversions:
    """One page: a metric for each experiment in the order of slugs, and the next page's cursor, None on the last."""

    metrics: list[Row]
    next_cursor: str | None


def page(limit: int, after: str | None = None, as_of: int | None = None) -> Conversions:
    """The conversions of the first ``limit`` experiments after the slug ``after``, by one query.

    Args:
        limit: how many experiments.
        after: the slug; None begins with the first.
        as_of: the position of the last assignment that counts; None counts all.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LIVE if as_of is None else _AS_OF, {"limit": limit, "after": after or "", "as_of": as_of})
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


def newest_settled() -> int:
    """A position as of which the counts stay what they are, as new as can be told without waiting for writers."""
    position = settled_position("onboarding_segments")
    if position is None:
        position = ConversionFold.objects.values_list("position", flat=True).first() or 0
    return position


def moment_of(position: int) -> datetime | None:
    """When the newest assignment up to ``position`` was recorded; None where there is none."""
    assignments = PricingExperimentSegment.objects.filter(position__lte=position).order_by("-position")
    return assignments.values_list("recorded_at", flat=True).first()


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
