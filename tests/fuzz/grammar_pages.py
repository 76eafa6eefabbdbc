"""Requests at the operator pages and the admin: filters, forms, CSV files, lookups and what runs keep in the lake."""

from collections.abc import Mapping
from random import Random
from urllib.parse import urlencode

from tests.fuzz import parts, values
from tests.fuzz.parts import Known, Maker, Value
from tests.fuzz.requests import NOBODY, OPERATOR, Planted, Request

FEEDS = ("quick_order", "guardrail_workflow", "onboarding_segments", "guardrail_followups")
_FEED = parts.one_of(*FEEDS)
_BATCH = parts.one_of("100", "250", "500", "1000")
_SEGMENTS: dict[str, Value] = {
    "slug": parts.one_of("spring-offer", "a"),
    "variant": parts.one_of("bundle", "control"),
    "status": parts.one_of("running"),
    "strategy": parts.text,
    "order": parts.order,
    "since": parts.day,
    "until": parts.day,
    "before": parts.cursor,
}
_REWIND: dict[str, Value] = {"to_time": parts.day, "to_position": parts.number}
_CSV: dict[str, Value] = {"rows": parts.one_of("100", "250", "all"), "bom": parts.one_of("0", "1")}
_REPORTS: dict[str, Value] = {
    "rows": _FEED,
    "batch": _BATCH,
    "before": parts.number,
    "providerId": parts.provider,
    "queueCursor": parts.cursor,
    "timelineCursor": parts.cursor,
    "conversionCursor": parts.one_of("spring-offer"),
    "asOf": parts.number,
    "experimentSlug": parts.text,
    "experimentVariant": parts.text,
    "guardrailProvider": parts.text,
    "guardrailPlatform": parts.text,
    "guardrailSeverity": parts.text,
    "severity": parts.one_of("critical", "warning"),
    "provider": parts.provider,
    "platform": parts.text,
    "drift": parts.one_of("on", "1"),
}
_RUNS: dict[str, Value] = {
    "feed": _FEED,
    "state": parts.one_of("succeeded", "failed", "skipped"),
    "trigger": parts.one_of("schedule", "operator"),
    "user": parts.one_of("admin"),
    "since": parts.day,
    "until": parts.day,
    "before": parts.run,
}
_REFUSED: dict[str, Value] = {
    "line": parts.one_of("telemetry.QuickOrderEvent", ""),
    "field": parts.one_of("id", "name"),
    "reason": parts.text,
}
_MUTE: dict[str, Value] = {
    "kind": parts.one_of("drift", "failed_run"),
    "feed": _FEED,
    "duration": parts.one_of("1h", "8h", "resolved"),
    "reason": parts.text,
}
#: Pages by path, with their parameters; ``{…}`` is drawn from what the desk holds.
PAGES: dict[str, dict[str, Value]] = {
    "/admin/reports": _REPORTS,
    "/admin/reports/cards": {},
    "/admin/reports/verdict": {},
    "/admin/reports/alerts": {},
    "/admin/reports/refused": _REFUSED,
    "/admin/reports/refused/csv": _REFUSED,
    "/admin/reports/roles": {},
    "/admin/reports/runs/": _RUNS,
    "/admin/reports/runs/{run}": {},
    "/admin/reports/runs/{run}/progress": {},
    "/admin/reports/runs/{run}/download": {},
    "/admin/reports/feeds/{feed}/csv": {**_CSV, "before": parts.number},
    "/admin/reports/feeds/{feed}/records/{key}": {},
    "/admin/reports/feeds/{feed}/start": {},
    "/admin/onboarding": {**_SEGMENTS, "batch": _BATCH},
    "/admin/onboarding/funnel": {},
    "/admin/onboarding/csv": {**_SEGMENTS, **_CSV},
    "/admin/onboarding/orders/{order}": {},
    "/admin/reporting/checkpoint/{feed}/rewind/": _REWIND,
}
_WEIGHTS = (4, 2, 2, 2, 3, 2, 1, 3, 4, 2, 2, 8, 4, 1, 6, 1, 8, 3, 3)
_MODELS = (
    "telemetry/quickorderevent",
    "telemetry/guardrailworkflowevent",
    "reporting/onboardingjourney",
    "reporting/onboardingjourneyevent",
    "reporting/pricingexperimentsegment",
    "reporting/guardrailfollowup",
    "reporting/providerguardrailstatus",
    "reporting/exportrun",
    "reporting/automationrun",
    "reporting/checkpoint",
    "reporting/checkpointmove",
    "reporting/auditentry",
    "reporting/slackmessage",
    "reporting/webhookdestination",
    "reporting/alertrule",
    "auth/user",
    "auth/group",
)
_COLUMNS = ("event_id", "recorded_at", "feed", "reason", "position", "metadata", "is_staff", "groups", "user__password")
_LOOKUPS = ("exact", "iexact", "in", "gt", "lt", "range", "year", "week_day", "regex", "iregex", "contains", "isnull")
_ADMIN_PAGES = ("", "reporting/", "search/", "autocomplete/", "jsi18n/", "password_change/", "password_change/done/")


def page(rng: Random, known: Known) -> Request:
    """A page with some of its parameters."""
    path = rng.choices(list(PAGES), _WEIGHTS)[0]
    filled = _filled(rng, known, path)
    query = parts.query(rng, known, PAGES[path])
    return Request(f"GET {path}", parts.method(rng, "GET"), filled, query, parts.headers(rng), b"", parts.operator(rng))


def changelist(rng: Random, known: Known) -> Request:
    """A list of the admin, with filters, lookups, a search, a page and an order."""
    model = rng.choice(_MODELS)
    lookup = "__".join([rng.choice(_COLUMNS), *rng.choices(_LOOKUPS, k=rng.randrange(3))])
    parameters: dict[str, Value] = {
        lookup: lambda rng, known: values.anything(rng),
        "feed": _FEED,
        "reason": parts.one_of("export", "rewind"),
        "is_staff__exact": parts.one_of("0", "1"),
        "groups__id__exact": parts.number,
        "q": lambda rng, known: values.anything(rng),
        "p": parts.number,
        "o": parts.one_of("1", "-2", "1.-2", "9.9.9"),
        "e": parts.number,
        "all": parts.text,
        "_to_field": parts.one_of("id", "event_id", "password"),
        "_popup": parts.one_of("1"),
        "_changelist_filters": parts.text,
    }
    path = f"/admin/{model}/"
    query = parts.query(rng, known, {name: value for name, value in parameters.items() if rng.random() < 0.4})
    return Request("GET /admin/{model}/", "GET", path, query, parts.headers(rng), b"", parts.operator(rng))


def admin_object(rng: Random, known: Known) -> Request:
    """A page of one object of the admin, by the id of a row or by any other."""
    model, page_of = rng.choice(_MODELS), rng.choice(("change/", "history/", "delete/", "", "password/", "add/"))
    key = rng.choice((values.anything(rng), *(key for keys in known.keys.values() for key in keys[:2]), "1", *FEEDS))
    path = f"/admin/{model}/{page_of if page_of == 'add/' else f'{parts.segment(rng, key)}/{page_of}'}"
    query = parts.query(rng, known, {"_to_field": parts.text, "_popup": parts.text, "username": parts.text})
    route = f"GET /admin/{{model}}/{'' if page_of == 'add/' else '{id}/'}{page_of}"
    return Request(route, "GET", path, query, parts.headers(rng), b"", parts.operator(rng))


def admin_page(rng: Random, known: Known) -> Request:
    """The admin's other pages."""
    if rng.random() < 0.2:
        content_type, key = parts.segment(rng, values.number(rng)), parts.segment(rng, values.anything(rng))
        return Request("GET /admin/r/…", "GET", f"/admin/r/{content_type}/{key}/", who=OPERATOR)
    path = f"/admin/{rng.choice(_ADMIN_PAGES)}"
    names = ("s", "extended", "term", "app_label", "model_name", "field_name", "page")
    query = parts.query(rng, known, dict.fromkeys(names, parts.text))
    return Request(f"GET {path}", parts.method(rng, "GET"), path, query, parts.headers(rng), b"", parts.operator(rng))


def form(rng: Random, known: Known) -> Request:
    """A form of the pages or of the admin, with values that it may choke on."""
    path, fields = rng.choice(_FORMS)
    values_of = {name: value(rng, known) for name, value in fields.items() if rng.random() < 0.85}
    body = urlencode(values_of, errors="surrogatepass").encode()
    body = values.damaged(rng, body) if rng.random() < 0.1 else body
    headers = (*parts.content_type(rng, "application/x-www-form-urlencoded"), *parts.headers(rng))
    query = parts.query(rng, known, _REPORTS if path in ("/admin/reports", "/admin/reports/followups") else {})
    who = NOBODY if path in _OF_STRANGERS else parts.operator(rng)
    if who == NOBODY:
        headers = (*headers, ("Cookie", f"csrftoken={_CSRF_TOKEN}"), ("X-CSRFToken", _CSRF_TOKEN))
    return Request(f"POST {path}", "POST", _filled(rng, known, path), query, headers, body, who)


def planted(rng: Random, known: Known) -> Request:
    """A page that shows a manifest or a status, of which the lake or the table holds something else."""
    if known.manifests and rng.random() < 0.6:
        number = rng.randrange(len(known.manifests))
        content = document(rng, MANIFEST)
        path = f"/admin/reports/runs/{known.runs[number]}/receipt"
        placed = Planted(known.manifests[number], content)
        return Request("GET /admin/reports/runs/{run}/receipt", "GET", path, who=OPERATOR, planted=placed)
    # The product alone writes this column, so that it holds nothing that is nested beyond reading.
    content = parts.json_body(rng, STATUS)
    placed = Planted("status", content if content.count(b"[") + content.count(b"{") < 500 else b"{}")
    path = rng.choice(("/admin/reports", "/admin/reports/cards", "/admin/onboarding"))
    return Request(f"GET {path}", "GET", path, who=OPERATOR, planted=placed)


def document(rng: Random, example: Mapping[str, object]) -> bytes:
    """The JSON of ``example`` with damage, or something else altogether."""
    if rng.random() < 0.15:
        return values.to_bytes(rng, values.json_text(rng))
    return parts.json_body(rng, example)


def _filled(rng: Random, known: Known, path: str) -> str:
    feed = _FEED(rng, known)
    drawn = {"run": parts.run(rng, known), "feed": feed, "key": parts.key_of(feed)(rng, known)}
    drawn |= {"order": parts.order(rng, known), "number": values.number(rng)}
    for name, text in drawn.items():
        path = path.replace(f"{{{name}}}", parts.segment(rng, text))
    return path


_FOLLOW_UP_FORM: dict[str, Value] = {
    "action": parts.one_of("pause", "resume", "escalate"),
    "provider_id": parts.provider,
    "provider_name": parts.text,
    "notes": parts.text,
    "platform_id": parts.text,
    "platform_label": parts.text,
    "platform_handle": parts.text,
    "platform_type": parts.text,
    "token": parts.run,
}
_ACCOUNT: dict[str, Value] = {"username": parts.text, "password1": parts.text, "password2": parts.text}
_FORMS: list[tuple[str, dict[str, Value]]] = [
    *[("/admin/reports", _FOLLOW_UP_FORM)] * 6,
    *[("/admin/reports/followups", _FOLLOW_UP_FORM)] * 3,
    ("/admin/reports/runs/{run}/retry", {}),
    ("/admin/reports/feeds/{feed}/repair", {"day": parts.day}),
    ("/admin/reports/feeds/{feed}/pause", {"reason": parts.text}),
    ("/admin/reports/feeds/{feed}/resume", {}),
    *[("/admin/reporting/checkpoint/{feed}/rewind/", _REWIND)] * 3,
    ("/admin/reporting/checkpoint/{feed}/undo/", {"move": parts.number}),
    ("/admin/reports/feeds/{feed}/start", {}),
    *[("/admin/reports/alerts/mute", _MUTE)] * 3,
    ("/admin/reports/alerts/mutes/{number}/lift", {}),
    ("/admin/reports/alerts/mutes/1/lift", {}),
    ("/admin/reports/alerts/test", {}),
    ("/admin/reporting/alertrule/add/", {"channel": parts.text, "kind": parts.one_of("drift"), "feed": _FEED}),
    ("/admin/auth/user/add/", _ACCOUNT),
    ("/admin/auth/user/{number}9999/delete/", {"post": parts.text}),
    ("/admin/auth/group/add/", {"name": parts.text, "permissions": parts.number}),
    ("/admin/password_change/", {"new_password1": parts.text, "new_password2": parts.text}),
    ("/admin/reporting/webhookdestination/", {"action": parts.one_of("enable"), "_selected_action": parts.text}),
    ("/admin/login/", {"username": parts.text, "next": parts.text}),
    ("/admin/logout/", {}),
]
_CSRF_TOKEN = "a" * 32
_OF_STRANGERS = ("/admin/login/", "/admin/logout/")
MANIFEST = {
    "feed": "quick_order",
    "shape": "wire",
    "object": "file:///lake/quick-order/a.ndjson",
    "bytes": 1,
    "rows": 1,
    "sha256": "0" * 64,
    "firstPosition": 1,
    "lastPosition": 1,
    "firstRecordedAt": "2026-01-22T04:00:00.123456Z",
    "lastRecordedAt": "2026-01-22T04:00:00.123456Z",
    "idSum": 1,
    "createdAt": "2026-01-22T04:00:00.123456Z",
    "run": "00000000-0000-0000-0000-000000000007",
}
STATUS = {
    "syncedAt": "2026-01-22T04:00:00.123456Z",
    "events": 3,
    "downloadUrl": "https://lake.test/a.ndjson",
    "workflowUrl": "https://desk.test/admin/reports/runs/1",
    "metrics": {"startCount": 2, "abortCount": 1, "completeCount": 1, "completionRate": 50},
}
#: Each maker with how often it is drawn.
MAKERS: list[tuple[int, Maker]] = [
    (45, page),
    (25, changelist),
    (20, admin_object),
    (6, admin_page),
    (14, form),
    (20, planted),
]
