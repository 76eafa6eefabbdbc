"""`make demo`: fill the running instance with samples, and export them.

Telemetry is spread over the last 14 days. Repeated, the demo adds nothing.
"""

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from smplat import secrets_file
from smplat.demo.recordings import FOLLOW_UPS, assignments

_BODIES = Path(__file__).with_name("telemetry-events.ndjson")
_SPREAD = timedelta(days=14)
_ROUTES = ("/api/telemetry", "/api/telemetry/quick-order")


def main() -> None:
    """Post the samples as storefront, checkout and operators do, then run every export."""
    base_url = f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"
    try:
        with httpx.Client(base_url=base_url, timeout=10) as client:
            accepted = sum(_post(client, body) for body in spread(_bodies(), datetime.now(UTC)))
            _record(client)
    except httpx.HTTPError as error:
        sys.exit(f"The demo needs a running instance at {base_url}; start it with `make run` ({error}).")
    print(f"Posted the samples; {accepted} events are new.", flush=True)  # noqa: T201
    _export()


def spread(events: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Move the events' times into the 14 days before ``now``, keeping their order; a copy of an event moves along."""
    steps = {event["id"]: index for index, event in enumerate(events)}
    pace = _SPREAD / len(events)
    start = now - _SPREAD
    return [{**event, "recordedAt": (start + pace * steps[event["id"]]).isoformat()} for event in events]


def _bodies() -> list[dict[str, Any]]:
    return [json.loads(line) for line in _BODIES.read_text(encoding="utf-8").splitlines()]


def _post(client: httpx.Client, event: dict[str, Any]) -> int:
    """Post one event to the routes that the storefront uses for it; return how many events were new."""
    routes = _ROUTES if event["name"].startswith("quick_order.") else _ROUTES[:1]
    answers = [client.post(route, json=event) for route in routes]
    return sum(int(answer.raise_for_status().json()["accepted"]) for answer in answers)


def _record(client: httpx.Client) -> None:
    """Record assignments, where there are none yet, and follow-ups, which carry a key that records them once a day."""
    from smplat import settings

    client.headers["X-API-Key"] = settings.CHECKOUT_API_KEYS[0]
    known = client.get("/api/v1/reporting/onboarding/experiment-events?limit=1").raise_for_status().json()
    if not known["events"]:
        for order_id, body in assignments():
            route = f"/api/v1/orders/{order_id}/onboarding/pricing-experiments"
            client.post(route, json=body).raise_for_status()
    for number, follow_up in enumerate(FOLLOW_UPS):
        key = {"Idempotency-Key": f"demo-{number}"}
        client.post("/api/v1/reporting/guardrails/followups", json=follow_up, headers=key).raise_for_status()


def _export() -> None:
    from django.core.management import call_command

    from smplat import embedded, settings

    secrets_file.ensure(settings.VAR_DIR)
    if settings.USES_EMBEDDED_DATABASE:
        embedded.start(settings.VAR_DIR)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smplat.settings")
    import django

    django.setup()
    from reporting.feeds import FEEDS

    for feed in FEEDS:
        call_command("run_export", feed)


if __name__ == "__main__":
    main()
