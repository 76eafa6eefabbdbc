"""The operator pages and lists on ten thousand and on a million rows in each feed: statements, their plans, and time.

The environment's `ROWS` sets another number than the million.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from bench.ratio import Ratio
from tests import ROOT
from tests.e2e.desk import Desk

_FEW, _MANY = 10_000, int(os.environ.get("ROWS") or 1_000_000)
# Thirty days of events, of which an eighth name a provider with a status; orders that see one experiment each.
_FILL = (
    """INSERT INTO telemetry_quickorderevent (event_id, recorded_at, metadata, event, event_name)
    SELECT gen_random_uuid(), now() - number %% 720 * interval '1 hour', '{"reason": "price"}', '{"source": "bench"}',
      (ARRAY['quick_order.start', 'quick_order.abort', 'quick_order.complete'])[1 + number %% 3]
    FROM generate_series(1, %(rows)s) AS number""",
    """INSERT INTO telemetry_guardrailworkflowevent
      (event_id, recorded_at, metadata, event, workflow_action, provider_id, guardrail_status)
    SELECT gen_random_uuid(), now() - number %% 720 * interval '1 hour', '{}', '{"source": "bench"}', 'note.update',
      'p-' || number %% 500, CASE WHEN number %% 8 = 0 THEN 'breached' END
    FROM generate_series(1, %(rows)s) AS number""",
    """INSERT INTO reporting_pricingexperimentsegment (event_id, journey_id, order_id, slug, variant_key, is_control,
      status, recorded_at)
    SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'slug-' || number %% 40, 'v' || number %% 3, false,
      'running', now() - number * interval '1 second'
    FROM generate_series(1, %(rows)s) AS number""",
    """INSERT INTO provider_guardrail_followup (follow_up_id, provider_id, action, created_at)
    SELECT gen_random_uuid(), 'p-' || number %% 500, 'pause', now() - number * interval '1 second'
    FROM generate_series(1, %(rows)s) AS number""",
)


def measure(desk: Desk) -> Iterator[Ratio]:
    """Count the statements of every page, look for scans of whole tables in their plans, and time them."""
    _fill(desk, _FEW)
    few = _pages(desk)
    _fill(desk, _MANY - _FEW)
    many = _pages(desk)
    for path, large in many.items():
        small = few[path]
        counts = f"{small['statements']} and {large['statements']} statements"
        yield Ratio(f"statements of {path}", large["statements"] / small["statements"], 1, False, counts)
        scanned = ", ".join(large["scanned"]) or "none"
        yield Ratio(f"whole tables read by {path}", len(large["scanned"]), 0, False, scanned)
        times = f"{large['seconds'] * 1000:.0f} ms and {small['seconds'] * 1000:.0f} ms"
        yield Ratio(
            f"time of {path}, {_MANY:,} / {_FEW:,} rows a feed", large["seconds"] / small["seconds"], 1.2, False, times
        )


def _fill(desk: Desk, rows: int) -> None:
    with desk.database() as session:
        session.autocommit = True
        for statement in _FILL:
            session.execute(statement, {"rows": rows})
        session.execute("VACUUM ANALYZE")


def _pages(desk: Desk) -> dict[str, Any]:
    environment = {**desk.environment, "PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "smplat.settings"}
    command = [sys.executable, "-W", "ignore", "-m", "bench.page_costs"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    costs: dict[str, Any] = json.loads(result.stdout)
    return costs
