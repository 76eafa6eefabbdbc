"""Who may open what: a row for every URL and method, tried by every kind of visitor."""

import uuid
from dataclasses import dataclass
from functools import cache

import pytest
from django.apps import apps
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from reporting.models import (
    AlertRule,
    AuditEntry,
    AutomationRun,
    Checkpoint,
    CheckpointMove,
    ExportRun,
    SlackMessage,
    WebhookDestination,
)
from tests.database import capture, record_follow_up, record_segment
from tests.environment import API_KEY
from tests.factories import quick_order_event, workflow_event
from tests.urlconf import filled_in, routes

#: Besides a permission, a row can say: whoever comes; the key of the API; any member of staff; who signs the message.
OPEN, KEY, STAFF, SIGNED = "open", "key", "staff", "signed"
VIEW, EXPORT, START = "reporting.view_exportrun", "reporting.export_data", "reporting.start_exportrun"
FOLLOW_UP, REWIND = "reporting.add_guardrailfollowup", "reporting.rewind_checkpoint"
MUTE = "reporting.add_alertmute"

#: Method and route, and who may: any one of them is enough, where "+" joins what takes both. Nobody may where there is
#: none.
ROWS: dict[tuple[str, str], set[str]] = {
    ("GET", ""): {OPEN},
    ("GET", "healthz"): {OPEN},
    ("GET", "readyz"): {OPEN},
    ("GET", "metrics"): {OPEN},
    ("GET", "api/schema/"): {OPEN},
    ("GET", "api/docs/"): {OPEN},
    ("POST", "api/telemetry"): {OPEN},
    ("POST", "api/telemetry/quick-order"): {OPEN},
    ("POST", "api/v1/orders/<str:order_id>/onboarding/pricing-experiments"): {KEY},
    ("GET", "api/v1/reporting/onboarding/experiment-events"): {KEY, "reporting.view_pricingexperimentsegment"},
    ("GET", "api/v1/reporting/onboarding/experiment-conversions"): {KEY, "reporting.view_pricingexperimentsegment"},
    ("GET", "api/v1/reporting/guardrails/followups"): {KEY, "reporting.view_guardrailfollowup"},
    ("POST", "api/v1/reporting/guardrails/followups"): {KEY, FOLLOW_UP},
    ("GET", "api/reporting/onboarding/experiment-events"): {KEY, "reporting.view_pricingexperimentsegment"},
    ("GET", "api/reporting/onboarding/experiment-conversions"): {KEY, "reporting.view_pricingexperimentsegment"},
    ("GET", "api/reporting/guardrail-followups"): {KEY, "reporting.view_guardrailfollowup"},
    ("POST", "api/reporting/guardrail-followups"): {KEY, FOLLOW_UP},
    ("GET", "api/v1/health/findings"): {KEY, VIEW},
    ("GET", "api/v1/fulfillment/providers/automation/status/history"): {KEY, "reporting.view_automationrun"},
    ("POST", "api/v1/ingest/onboarding-segments"): {SIGNED},
    ("POST", "api/v1/ingest/guardrail-followups"): {SIGNED},
    ("GET", "api/reporting/guardrail-workflow"): {KEY, "telemetry.view_guardrailworkflowevent"},
    ("GET", "api/telemetry/quick-order/export"): {KEY, "telemetry.view_quickorderevent"},
    ("GET", "api/telemetry/guardrail-workflow/export"): {KEY, "telemetry.view_guardrailworkflowevent"},
    ("GET", "api/reporting/quick-order-export"): {EXPORT},
    ("GET", "api/reporting/guardrail-workflow-export"): {EXPORT},
    ("GET", "api/reporting/onboarding-segments/export"): {EXPORT},
    ("GET", "api/reporting/guardrail-followups/export"): {EXPORT},
    ("GET", "lake/<str:token>"): {SIGNED},
    ("GET", "admin/reports"): {VIEW},
    ("POST", "admin/reports"): {f"{VIEW}+{FOLLOW_UP}"},
    ("GET", "admin/reports/"): {OPEN},
    ("GET", "admin/reports/verdict"): {VIEW},
    ("GET", "admin/reports/refused"): {VIEW},
    ("GET", "admin/reports/refused/csv"): {EXPORT},
    ("GET", "admin/reports/roles"): {VIEW},
    ("GET", "admin/reports/alerts"): {VIEW},
    ("POST", "admin/reports/alerts/mute"): {MUTE},
    ("POST", "admin/reports/alerts/mutes/<int:mute_id>/lift"): {MUTE},
    ("POST", "admin/reports/alerts/test"): {MUTE},
    ("GET", "admin/reports/cards"): {VIEW},
    ("POST", "admin/reports/followups"): {FOLLOW_UP},
    ("GET", "admin/reports/runs/"): {VIEW},
    ("GET", "admin/reports/runs/<uuid:run_id>"): {VIEW},
    ("GET", "admin/reports/runs/<uuid:run_id>/progress"): {VIEW},
    ("GET", "admin/reports/runs/<uuid:run_id>/receipt"): {VIEW},
    ("GET", "admin/reports/runs/<uuid:run_id>/download"): {EXPORT},
    ("POST", "admin/reports/runs/<uuid:run_id>/retry"): {START},
    ("GET", "admin/reports/feeds/<str:feed_key>/start"): {START},
    ("POST", "admin/reports/feeds/<str:feed_key>/start"): {START},
    ("POST", "admin/reports/feeds/<str:feed_key>/repair"): {START},
    ("POST", "admin/reports/feeds/<str:feed_key>/pause"): {START},
    ("POST", "admin/reports/feeds/<str:feed_key>/resume"): {START},
    ("GET", "admin/reports/feeds/<str:feed_key>/csv"): {EXPORT},
    ("GET", "admin/reports/feeds/<str:feed_key>/records/<uuid:key>"): {VIEW},
    ("GET", "admin/onboarding"): {VIEW},
    ("GET", "admin/onboarding/"): {OPEN},
    ("GET", "admin/onboarding/funnel"): {VIEW},
    ("GET", "admin/onboarding/csv"): {EXPORT},
    ("GET", "admin/onboarding/orders/<uuid:order_id>"): {VIEW},
    ("GET", "admin/"): {STAFF},
    ("GET", "admin/search/"): {STAFF},
    ("GET", "admin/autocomplete/"): set(),
    ("GET", "admin/jsi18n/"): {STAFF},
    ("GET", "admin/password_change/"): {STAFF},
    ("POST", "admin/password_change/"): {STAFF},
    ("GET", "admin/password_change/done/"): {STAFF},
    ("GET", "admin/r/<path:content_type_id>/<path:object_id>/"): {STAFF},
    ("GET", "admin/reporting/checkpoint/<str:feed>/rewind/"): {REWIND},
    ("POST", "admin/reporting/checkpoint/<str:feed>/rewind/"): {REWIND},
    ("POST", "admin/reporting/checkpoint/<str:feed>/undo/"): {REWIND},
}
#: What is open to whoever comes by its nature: the sign-in and the sign-out.
SIGN_IN = {"admin/login/", "admin/logout/"}

#: The models that the admin shows as evidence: the permission to view one opens its list, its page and its history.
EVIDENCE = [
    "telemetry.quickorderevent",
    "telemetry.guardrailworkflowevent",
    "reporting.onboardingjourney",
    "reporting.onboardingjourneyevent",
    "reporting.pricingexperimentsegment",
    "reporting.guardrailfollowup",
    "reporting.providerguardrailstatus",
    "reporting.exportrun",
    "reporting.automationrun",
    "reporting.checkpoint",
    "reporting.checkpointmove",
    "reporting.auditentry",
    "reporting.slackmessage",
    "reporting.webhookdestination",
]
for name in EVIDENCE:
    app, model = name.split(".")
    # Django takes the permission to change for one to view.
    may_view = {f"{app}.view_{model}", f"{app}.change_{model}"} | ({REWIND} if model == "checkpoint" else set())
    for page in ("", "<path:object_id>/history/", "<path:object_id>/change/"):
        ROWS["GET", f"admin/{app}/{model}/{page}"] = may_view
    # Only leads to the page.
    ROWS["GET", f"admin/{app}/{model}/<path:object_id>/"] = {STAFF}
    for method in ("GET", "POST"):
        for page in ("add/", "<path:object_id>/delete/"):
            ROWS[method, f"admin/{app}/{model}/{page}"] = set()
    ROWS["POST", f"admin/{app}/{model}/<path:object_id>/change/"] = may_view if model == "checkpoint" else set()

#: What operators edit: accounts, and exceptions of alerts. Who may view them, and who may change them.
for name in ("auth.user", "auth.group", "reporting.alertrule"):
    app, model = name.split(".")
    view, add, change, delete = (f"{app}.{action}_{model}" for action in ("view", "add", "change", "delete"))
    ROWS |= {
        ("GET", f"admin/{app}/{model}/"): {view, change},
        ("GET", f"admin/{app}/{model}/<path:object_id>/"): {STAFF},
        ("GET", f"admin/{app}/{model}/<path:object_id>/change/"): {view, change},
        ("GET", f"admin/{app}/{model}/<path:object_id>/history/"): {view, change},
        ("POST", f"admin/{app}/{model}/<path:object_id>/change/"): {change},
        ("GET", f"admin/{app}/{model}/<path:object_id>/delete/"): {delete},
        ("POST", f"admin/{app}/{model}/<path:object_id>/delete/"): {delete},
    }
for name in ("auth/group", "reporting/alertrule"):
    add = f"{name.replace('/', '.add_')}"
    ROWS |= {("GET", f"admin/{name}/add/"): {add}, ("POST", f"admin/{name}/add/"): {add}}
ROWS |= {
    # Django lets nobody add an account who could not change it afterwards.
    ("GET", "admin/auth/user/add/"): {"auth.add_user+auth.change_user"},
    ("POST", "admin/auth/user/add/"): {"auth.add_user+auth.change_user"},
    ("GET", "admin/auth/user/<id>/password/"): {"auth.change_user"},
    ("POST", "admin/auth/user/<id>/password/"): {"auth.change_user"},
}

UUID = str(uuid.UUID(int=7))
VALUES = {
    "feed_key": "onboarding_segments",
    "feed": "onboarding_segments",
    "order_id": UUID,
    "run_id": UUID,
    "key": UUID,
    "content_type_id": "1",
    "mute_id": "1",
    "id": "1",
    "token": "made-up",
}
ELSEWHERE = "https://elsewhere.example"


def test_every_url_has_a_row():
    assert set(routes(get_resolver())) == {route for _, route in ROWS} | SIGN_IN


@dataclass
class Desk:
    """The visitors of one test."""

    users: int = 0

    def signed_in(self, *permissions: str, everything_but: set[str] | None = None, **user: bool) -> Client:
        """A session of a user with these permissions, or with all but some."""
        self.users += 1
        made = User.objects.create(username=f"u{self.users}", **{"is_staff": True, **user})
        if everything_but is not None:
            permissions = tuple(known_permissions() - everything_but)
        if permissions:
            names = {name.split(".")[1] for name in permissions}
            found = Permission.objects.select_related("content_type").filter(codename__in=names)
            made.user_permissions.set(
                one for one in found if f"{one.content_type.app_label}.{one.codename}" in permissions
            )
        client = Client(enforce_csrf_checks=True)
        client.force_login(made)
        return client


@cache
def _known() -> frozenset[str]:
    pairs = Permission.objects.values_list("content_type__app_label", "codename")
    return frozenset(f"{app}.{codename}" for app, codename in pairs)


def known_permissions() -> set[str]:
    return set(_known())


def path_of(route: str) -> str:
    """A path of this route; an object that the admin shows is there."""
    values, parts = VALUES, route.split("/")
    if "<path:object_id>" in parts and parts[1] in ("auth", "telemetry", "reporting"):
        values = {**VALUES, "object_id": quote(stored(apps.get_model(parts[1], parts[2])))}
    elif "<path:object_id>" in parts:
        values = {**VALUES, "object_id": "1"}
    return filled_in(route, **values)


def stored(model: type[Model]) -> str:
    """The key of some row of this model, stored if there is none."""
    if not model._default_manager.exists():
        capture([quick_order_event(), workflow_event()])
        record_segment()
        record_follow_up()
        now, feed = timezone.now(), "onboarding_segments"
        User.objects.create(username="analyst")
        Group.objects.create(name="analysts")
        ExportRun.objects.create(feed=feed)
        AutomationRun.objects.create(ran_at=now, summary={}, metadata={})
        Checkpoint.objects.create(feed=feed, position=1, cursor=now, rows=1)
        CheckpointMove.objects.create(feed=feed, to_position=1, to_cursor=now, reason=CheckpointMove.Reason.EXPORT)
        AuditEntry.objects.create(username="u", action=AuditEntry.Action.START_RUN, subject=feed)
        SlackMessage.objects.create(dedupe_key="once", webhook="SLACK_WEBHOOK_URL", text="Hello")
        WebhookDestination.objects.create(name="SEGMENTS")
        AlertRule.objects.create(channel="ops@shop.example")
    return str(model._default_manager.values_list("pk", flat=True)[0])


def let_in(client: Client, method: str, path: str, **headers: str) -> bool:
    """Whether an answer is neither a refusal nor the way to the sign-in; it never is an error that nobody foresaw."""
    kind = "application/json" if path.startswith("/api/") else "application/x-www-form-urlencoded"
    answer = client.generic(method, path, "{}" if method == "POST" else "", kind, headers=headers)
    assert answer.status_code < 500 or answer.status_code == 503, (method, path)
    assert answer.headers.get("Access-Control-Allow-Origin") != ELSEWHERE, (method, path)
    return answer.status_code not in (401, 403) and not answer.headers.get("Location", "").startswith("/admin/login/")


def csrf(client: Client) -> dict[str, str]:
    """The header of a form that the desk itself has sent."""
    client.cookies["csrftoken"] = "a" * 32
    return {"X-CSRFToken": "a" * 32}


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "route"), sorted(ROWS), ids=lambda value: value or "home")
def test_those_whom_the_row_names_get_in_and_nobody_else(method, route):
    may, desk, path = ROWS[method, route], Desk(), path_of(route)
    ways = [way.split("+") for way in may - {OPEN, KEY, STAFF, SIGNED}]
    permissions = {permission for way in ways for permission in way}
    everybody, staff = OPEN in may, may & {OPEN, STAFF} != set()

    def tried(client: Client, **headers: str) -> bool:
        return let_in(client, method, path, **csrf(client), **headers)

    assert tried(Client(enforce_csrf_checks=True)) == everybody, "a stranger"
    assert tried(Client(enforce_csrf_checks=True), **{"X-API-Key": "wrong"}) == everybody, "a wrong key"
    assert tried(Client(enforce_csrf_checks=True), **{"X-API-Key": API_KEY}) == (everybody or KEY in may), "the key"
    assert tried(desk.signed_in(is_staff=False, everything_but=set())) == everybody, "a user who is not of the staff"
    assert tried(desk.signed_in()) == staff, "staff without a permission"
    assert tried(desk.signed_in(everything_but=permissions)) == staff, "staff with all other permissions"
    for way in ways:
        assert tried(desk.signed_in(*way)), way
        for missing in way if len(way) > 1 else []:
            assert not tried(desk.signed_in(*way[: way.index(missing)], *way[way.index(missing) + 1 :])), missing
    superuser = desk.signed_in(is_superuser=True)
    assert tried(superuser) == (staff or ways != []), "a superuser"
    if method == "POST" and may != {OPEN}:
        assert not let_in(superuser, method, path), "a form without its token"
        assert not tried(superuser, Origin=ELSEWHERE), "a form of another site"
