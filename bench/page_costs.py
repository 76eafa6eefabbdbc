"""What each operator page and list costs in one process: prints statements, tables read whole, and median seconds."""

import json
from typing import Any

import django

_PATHS = (
    "/admin/reports",
    "/admin/reports?providerId=p-7&rows=guardrail_followups",
    "/admin/reports?conversionCursor=slug-20&rows=onboarding_segments",
    "/admin/reports/cards",
    "/admin/reports/runs/",
    "/admin/onboarding",
    "/admin/onboarding?slug=slug-7&variant=v1",
    "/api/v1/reporting/onboarding/experiment-events",
    "/api/v1/reporting/guardrails/followups",
    "/api/v1/reporting/onboarding/experiment-conversions",
    "/metrics",
)
_FEEDS = (
    "telemetry_quickorderevent",
    "telemetry_guardrailworkflowevent",
    "reporting_pricingexperimentsegment",
    "provider_guardrail_followup",
)


def main() -> None:
    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    from bench.lists import medians
    from reporting.accounting import ledger
    from reporting.insights import conversion_totals

    # What a minute of a running desk does.
    conversion_totals.fold()
    ledger.fold()
    client = Client(headers={"Host": "127.0.0.1", "X-API-Key": settings.CHECKOUT_API_KEYS[0]})
    client.force_login(User.objects.get(username="admin"))
    costs = {}
    for path in _PATHS:
        client.get(path)
        statements = _statements(client, path)
        (seconds,) = medians(lambda path=path: client.get(path), repeats=5)
        scanned = sorted({table for statement in statements for table in _read_whole(statement)})
        costs[path] = {"statements": len(statements), "scanned": scanned, "seconds": seconds}
    print(json.dumps(costs))


def _statements(client: Any, path: str) -> list[str]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return [query["sql"] for query in queries]


def _read_whole(statement: str) -> set[str]:
    """The tables of feeds that the plan of a statement reads without an index, or without an end."""
    from django.db import connection

    if not statement.lstrip("( \n").upper().startswith(("SELECT", "WITH")) or "set_config" in statement:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
        (plan,) = cursor.fetchone()
    maximum = sum(_size(table) for table in _FEEDS) / len(_FEEDS) / 2
    return {
        node["Relation Name"]
        for node in nodes(plan[0]["Plan"])
        if node.get("Relation Name") in _FEEDS and _rows_read(node) > max(maximum, 10_000)
    }


def _rows_read(node: dict[str, Any]) -> float:
    return (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan of PostgreSQL's, in JSON, and all plans below it."""
    return [plan, *(node for child in plan.get("Plans", []) for node in nodes(child))]


def _size(table: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE relname = %s", [table])
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    main()
