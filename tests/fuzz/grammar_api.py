"""Requests at the API: capture, recording, lists, downloads and signed webhooks."""

import gzip
import uuid
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any

from tests.factories import experiment, quick_order_event, workflow_event
from tests.fuzz import parts, values
from tests.fuzz.parts import Known, Maker, Value
from tests.fuzz.requests import KEY, NOBODY, OPERATOR, WRONG_KEY, Request

_CAPTURE = "/api/telemetry"
_RECORD = "/api/v1/orders/{order}/onboarding/pricing-experiments"
_FOLLOW_UPS = "/api/v1/reporting/guardrails/followups"
_PAGE: dict[str, Value] = {"limit": parts.number, "cursor": parts.cursor, "order": parts.one_of("asc", "desc")}
_WINDOW: dict[str, Value] = {"limit": parts.number}
#: The keyed reads, with their parameters.
READS: dict[str, dict[str, Value]] = {
    "/api/v1/reporting/onboarding/experiment-events": _PAGE,
    "/api/v1/reporting/onboarding/experiment-conversions": {"limit": parts.number, "cursor": parts.text},
    _FOLLOW_UPS: {**_PAGE, "providerId": parts.provider},
    "/api/v1/fulfillment/providers/automation/status/history": _WINDOW,
    "/api/v1/health/findings": {},
    "/api/reporting/onboarding/experiment-events": _PAGE,
    "/api/reporting/onboarding/experiment-conversions": {"limit": parts.number, "cursor": parts.text},
    "/api/reporting/guardrail-followups": {**_PAGE, "providerId": parts.provider},
    "/api/reporting/guardrail-workflow": _WINDOW,
    "/api/telemetry/quick-order/export": _WINDOW,
    "/api/telemetry/guardrail-workflow/export": _WINDOW,
}
_DOWNLOADS = (
    "/api/reporting/quick-order-export",
    "/api/reporting/guardrail-workflow-export",
    "/api/reporting/onboarding-segments/export",
    "/api/reporting/guardrail-followups/export",
)
_OPEN = ("/healthz", "/readyz", "/metrics", "/api/schema/", "/api/docs/", "/", "/admin/reports/", "/admin/onboarding/")
_SHIM: dict[str, tuple[str, dict[str, Any]]] = {
    "/api/v1/ingest/onboarding-segments": (
        "events",
        {
            "eventId": str(uuid.UUID(int=1)),
            "journeyId": str(uuid.UUID(int=2)),
            "orderId": str(uuid.UUID(int=3)),
            "orderNumber": "S-1",
            "slug": "spring-offer",
            "variantKey": "bundle",
            "variantName": "Bundle",
            "isControl": False,
            "status": "running",
            "featureFlagKey": None,
            "assignmentStrategy": None,
            "recordedAt": "2026-01-22T04:00:00.123456Z",
        },
    ),
    "/api/v1/ingest/guardrail-followups": (
        "followUps",
        {
            "id": str(uuid.UUID(int=4)),
            "followUpId": str(uuid.UUID(int=4)),
            "providerId": "provider-viralhub",
            "providerName": "ViralHub",
            "action": "pause",
            "notes": "text",
            "platformContext": {"id": "a", "label": "b", "handle": "@c", "platformType": "IG"},
            "conversionCursor": "spring-offer",
            "conversionHref": "https://shop.test/",
            "createdAt": "2026-01-22T04:00:00.123456Z",
        },
    ),
}
_FOLLOW_UP = {
    "providerId": "provider-viralhub",
    "providerName": "ViralHub",
    "action": "escalate",
    "notes": "text",
    "platformContext": {"id": "a", "label": "b", "handle": "@c", "platformType": "IG"},
    "conversionCursor": "spring-offer",
    "conversionHref": "https://shop.test/",
}
_TO_CAMEL = {"variant_key": "variantKey", "variant_name": "variantName", "is_control": "isControl"}


def capture(rng: Random, known: Known) -> Request:
    """Events, as one, an array or NDJSON, with damage of every kind."""
    path = rng.choice((_CAPTURE, _CAPTURE, f"{_CAPTURE}/quick-order"))
    usual, body = _events(rng)
    headers = parts.content_type(rng, usual)
    if rng.random() < 0.03:
        headers, body = (*headers, ("Content-Encoding", "gzip")), gzip.compress(body, 1, mtime=0)
    return Request(
        f"POST {path}",
        parts.method(rng, "POST"),
        path,
        parts.query(rng, known, {}),
        (*headers, *parts.headers(rng)),
        body,
        is_chunked=rng.random() < 0.1,
    )


def _events(rng: Random) -> tuple[str, bytes]:
    kind = rng.random()
    if kind < 0.04:
        return "application/json", _shape(rng)
    if kind < 0.4:
        return "application/json", parts.json_body(rng, _event(rng))
    events = [_event(rng) for _ in range(rng.choice((0, 1, 2, 3, 5)))]
    if kind < 0.7:
        return rng.choice(("application/json", "text/plain")), parts.json_body(rng, events)
    separator = rng.choice((b"\n", b"\r\n", b"\n\n", b"\r", b"\xe2\x80\xa8", b",", b"\n\0\n", b"\n\xef\xbb\xbf"))
    return "application/x-ndjson", separator.join(parts.json_body(rng, event) for event in events)


def _event(rng: Random) -> dict[str, Any]:
    make = quick_order_event if rng.random() < 0.6 else workflow_event
    identifier = str(uuid.UUID(int=rng.getrandbits(128))) if rng.random() < 0.9 else values.identifier(rng)
    event = make(id=identifier, recordedAt=values.moment(rng) if rng.random() < 0.3 else "2026-11-08T08:04:48.397Z")
    if rng.random() < 0.2:
        event["name"] = rng.choice(("quick_order.abort", "quick_order.complete", "guardrail.alert", values.string(rng)))
    return event


def _shape(rng: Random) -> bytes:
    """A long body of one of the shapes that parsers are slow at, up to past the limit."""
    size = rng.choice((1_000, 20_000, 60_000, 250_000, 1_048_576, 1_100_000))
    unit = rng.choice(
        ('"\\', "[", '{"a":', "\\", "[]", "[{},", '"', "1", " ", "\n", "[" * 40 + '"\\"', "9e9,", "\\ud800")
    )
    head = rng.choice(("", "[", "[" * 2_000, '{"name":"', '[{"id":', '"'))
    return (head + unit * (size // len(unit))).encode()[:size]


def record_segments(rng: Random, known: Known) -> Request:
    """Experiments of an order."""
    path = _RECORD.format(order=parts.segment(rng, parts.order(rng, known)))
    keyed = {_TO_CAMEL.get(name, name): value for name, value in experiment(rng.choice("abcdefgh")).items()}
    experiments = [rng.choice((experiment(), keyed)) for _ in range(rng.choice((0, 1, 1, 2, 5)))]
    body: dict[str, Any] = {"experiments": experiments, "orderNumber": "S-1"}
    if rng.random() < 0.2:
        body["journeyId"] = values.identifier(rng)
    return _posted(rng, known, "POST /api/v1/orders/…/pricing-experiments", path, parts.json_body(rng, body))


def record_follow_up(rng: Random, known: Known) -> Request:
    """A follow-up, under an idempotency key or without one."""
    request = _posted(rng, known, f"POST {_FOLLOW_UPS}", _FOLLOW_UPS, parts.json_body(rng, _FOLLOW_UP))
    key = _latin(rng.choice(("1", "2", values.string(rng))))
    return request.with_header("Idempotency-Key", key) if rng.random() < 0.4 else request


def webhook(rng: Random, known: Known) -> Request:
    """A message to the ingestion shim: signed well in most cases, else with a wrong id, time or signature."""
    path = rng.choice(list(_SHIM))
    name, row = _SHIM[path]
    rows = [
        {**row, next(iter(row)): str(uuid.UUID(int=rng.getrandbits(128)))} for _ in range(rng.choice((0, 1, 1, 2, 20)))
    ]
    request = _posted(rng, known, f"POST {path}", path, parts.json_body(rng, {name: rows}))
    wrong: Mapping[str, tuple[str, ...]] = {
        "webhook-id": ("", "../../a", "a" * 200, "msg_\xff", _latin(values.string(rng))),
        "webhook-timestamp": ("0", "-1", "99999999999", _latin(values.number(rng)), _latin(values.moment(rng))),
        "webhook-signature": ("", "v1,", "v1,AAAA", "v1,\xff", "v1,===", "v2,abc v1,!", "v1", "a," * 500),
    }
    header = rng.choice(list(wrong))
    if rng.random() < 0.3:
        request = request.with_header(header, rng.choice(wrong[header]))
    return replace(request, who=NOBODY, is_signed=rng.random() < 0.9)


def read(rng: Random, known: Known) -> Request:
    """A keyed read with some of its parameters."""
    path = rng.choice(list(READS))
    query = parts.query(rng, known, READS[path])
    return Request(
        f"GET {path}", parts.method(rng, "GET"), path, query, parts.headers(rng), b"", parts.key_or_operator(rng)
    )


def download(rng: Random, known: Known) -> Request:
    """The object of the last run."""
    path = rng.choice(_DOWNLOADS)
    return Request(f"GET {path}", "GET", path, (), parts.headers(rng), b"", parts.operator(rng))


def lake_file(rng: Random, known: Known) -> Request:
    """A file of the lake by its signed token, whole or tampered with."""
    path = f"/lake/{parts.segment(rng, parts.token(rng, known))}"
    return Request("GET /lake/…", parts.method(rng, "GET"), path, (), parts.headers(rng))


def open_page(rng: Random, known: Known) -> Request:
    """What is open to everyone, and addresses at which there is nothing."""
    path = rng.choice(_OPEN)
    if rng.random() < 0.4:
        path = rng.choice(("/api/", "/", "/api/v1/", "/lake/", "/static/")) + parts.segment(rng, values.string(rng))
        return Request(f"GET {path[: path.index('/', 1) + 1] if '/' in path[1:] else '/'}…", "GET", path)
    return Request(f"GET {path}", parts.method(rng, "GET"), path, parts.query(rng, known, {}), parts.headers(rng))


def _posted(rng: Random, known: Known, route: str, path: str, body: bytes) -> Request:
    who = rng.choices((KEY, OPERATOR, NOBODY, WRONG_KEY), (17, 1, 1, 1))[0]
    headers = (*parts.content_type(rng, "application/json"), *parts.headers(rng))
    query, is_chunked = parts.query(rng, known, {}), rng.random() < 0.1
    return Request(route, parts.method(rng, "POST"), path, query, headers, body, who, is_chunked=is_chunked)


def _latin(text: str) -> str:
    """``text`` as a header can carry it."""
    return text.encode("utf-8", "replace").decode("latin-1").replace("\r", "").replace("\n", "")


#: Each maker with how often it is drawn.
MAKERS: list[tuple[int, Maker]] = [
    (300, capture),
    (70, record_segments),
    (70, record_follow_up),
    (110, webhook),
    (220, read),
    (15, download),
    (50, lake_file),
    (35, open_page),
]
