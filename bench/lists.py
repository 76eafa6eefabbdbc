"""The REST list of segments and the recording of follow-ups, against the bare SQL."""

import json
import statistics
import time
from collections.abc import Callable, Iterator

from bench.exporting import fill
from bench.ratio import Ratio
from tests.e2e.desk import Desk

_ROWS = 1_000_000
_LIST = "/api/v1/reporting/onboarding/experiment-events?limit=1000"
_FOLLOWUPS = "/api/v1/reporting/guardrails/followups"
_COLUMNS = """event_id, journey_id, order_id, order_number, slug, variant_key, variant_name, is_control, status,
feature_flag_key, assignment_strategy, recorded_at"""
_NEWEST = f"""SELECT {_COLUMNS} FROM reporting_pricingexperimentsegment
ORDER BY recorded_at DESC, event_id DESC LIMIT 1000"""
_OLDEST = "SELECT recorded_at FROM reporting_pricingexperimentsegment ORDER BY recorded_at OFFSET 1001 LIMIT 1"
_RECORD = (
    """INSERT INTO reporting_providerguardrailstatus (provider_id, is_paused, last_action, updated_at)
    VALUES ('bare', true, 'pause', now())
    ON CONFLICT (provider_id) DO UPDATE SET is_paused = true, updated_at = excluded.updated_at""",
    """INSERT INTO provider_guardrail_followup (follow_up_id, provider_id, action, notes, created_at)
    VALUES (gen_random_uuid(), 'bare', 'pause', 'Notes.', now())""",
)


def measure(desk: Desk) -> Iterator[Ratio]:
    """Time pages over a million rows, and a follow-up, in turns with their bare SQL."""
    fill(desk, _ROWS)
    with desk.client() as client, desk.database() as session:
        session.autocommit = True
        oldest = session.execute(_OLDEST).fetchone()
        cursor = oldest[0].isoformat().replace("+00:00", "Z") if oldest else ""
        bare, first, deep = _medians(
            lambda: json.dumps([tuple(map(str, row)) for row in session.execute(_NEWEST).fetchall()]),
            lambda: client.get(_LIST).raise_for_status(),
            lambda: client.get(f"{_LIST}&cursor={cursor}").raise_for_status(),
        )
        detail = f"{first * 1000:.1f} ms over HTTP, {bare * 1000:.1f} ms bare"
        yield Ratio("page of 1,000 segments / bare SQL and json.dumps", first / bare, 2.5, False, detail)
        yield Ratio("deepest page / first page", deep / first, 1.2, False, f"{deep * 1000:.1f} ms")
        body = {"providerId": "over-http", "action": "pause", "notes": "Notes."}

        def record() -> None:
            with session.transaction():
                for statement in _RECORD:
                    session.execute(statement)

        bare, posted = _medians(record, lambda: client.post(_FOLLOWUPS, json=body).raise_for_status(), repeats=200)
        detail = f"{posted * 1000:.1f} ms over HTTP, {bare * 1000:.1f} ms bare"
        yield Ratio("POST of a follow-up / its bare transaction", posted / bare, 3, False, detail)


def _medians(*calls: Callable[[], object], repeats: int = 31) -> list[float]:
    """The median seconds of each call, taken in turns."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, taken in zip(calls, times, strict=True):
            started = time.perf_counter()
            call()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]
