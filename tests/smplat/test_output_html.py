"""No page runs or shows as markup what strangers have written, whatever row, status or query it comes from."""

import json
import re
import uuid
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, User
from django.db.models import Model, TextField
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from django.utils.html import escape

from reporting.alerts import outbox
from reporting.feeds import FEEDS, Feed
from reporting.feeds.shapes import model_of
from reporting.insights import automation
from reporting.models import (
    AlertDelivery,
    AlertMute,
    AlertRule,
    AuditEntry,
    ExportRun,
    Finding,
    ParityCheck,
    PricingExperimentSegment,
    ProviderGuardrailStatus,
    WebhookDestination,
    messages,
)
from tests.database import capture, create_follow_up, export, record_segment
from tests.factories import quick_order_event, workflow_event
from tests.fakes import Reply, fake_server
from tests.hostile import MARK, MARKUP, SCRIPT_URL, harm_of
from tests.urlconf import filled_in, routes

#: A status that another installation has published: what any feed's holds.
STATUS = {
    **dict.fromkeys(("syncedAt", "cursor", "updatedAt"), "2026-11-08T08:00:00Z"),
    **{"events": 1, "rows": 1, "downloadUrl": SCRIPT_URL, "workflowUrl": SCRIPT_URL},
    "metrics": {
        **dict.fromkeys(("startCount", "abortCount", "completeCount", "completionRate"), 1),
        "actionCounts": [{"action": MARKUP, "count": 1}],
        "attachmentTotals": {"upload": 1, "remove": 1, "copy": 1, "tag": 1, MARKUP: 1},
        "providerActivity": [
            {"providerId": MARKUP, "providerName": MARKUP, "totalActions": MARKUP, "lastActionAt": MARKUP}
        ],
    },
}
#: What pages read of a query.
PARAMETERS = {
    "/admin/reports": (
        "rows batch before providerId queueCursor timelineCursor conversionCursor asOf guardrailProvider"
        " guardrailPlatform guardrailSeverity experimentSlug experimentVariant severity provider platform"
    ),
    "/admin/onboarding": "slug variant status strategy order since until batch before",
    "/admin/reports/runs/": "feed state trigger user since until before",
    "/admin/login/": "next",
    "/admin/": "q o p _changelist_filters _popup _to_field to_time to_position move term app_label bom",
}

#: Columns by which the desk finds rows and files, which hold markup from the start or none.
FOUND_BY = {"object_uri", "provider_id", "conversion_href", "workflow_action", "guardrail_status"}
#: The text columns of the admin that hold markup.
SPOILT: set[str] = set()

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(settings):
    """A desk whose rows, accounts, statuses and settings all hold markup; yields its superuser's session."""
    with fake_server() as elsewhere:
        elsewhere.usual = Reply(body=json.dumps(STATUS).encode())
        settings.STATUS_URLS = dict.fromkeys(settings.STATUS_URLS, elsewhere.url)
        settings.WAREHOUSE_URL = "duckdb:////nowhere/at/all.duckdb"
        for name, _ in messages.slack_settings():
            setattr(settings, name, elsewhere.url)
        _store_rows()
        client = Client()
        client.force_login(User.objects.create_superuser(MARKUP, email=f"{MARKUP}@x", first_name=MARKUP))
        yield client


def _store_rows() -> None:
    _capture_and_record()
    for feed in FEEDS:
        export(feed)
    automation.run()
    now = timezone.now()
    outbox.put(f"another:{MARKUP}", messages.FOLLOW_UPS, MARKUP)
    # Followed up no more, so that it needs attention.
    create_follow_up(**FOLLOW_UP, created_at=now - timedelta(days=2))
    Group.objects.create(name=MARKUP)
    AuditEntry.objects.create(username=MARKUP, action="start_run", subject=MARKUP, details={MARKUP: [MARKUP]})
    WebhookDestination.objects.create(name=MARKUP, reason=MARKUP, disabled_at=now)
    ParityCheck.objects.create(at=now, target=MARKUP, since=now, state="failed", problem=MARKUP)
    for run in ExportRun.objects.all():
        run.log(MARKUP)
    for model in apps.get_models():
        if model._meta.app_label in ("reporting", "telemetry"):
            _spoil(model)


FOLLOW_UP = {
    "provider_id": MARKUP,
    "provider_name": MARKUP,
    "notes": MARKUP,
    "platform_context_id": MARKUP,
    "platform_context_label": MARKUP,
    "platform_context_handle": MARKUP,
    "platform_context_type": MARKUP,
    "conversion_cursor": MARKUP,
    "conversion_href": SCRIPT_URL,
}


def _capture_and_record() -> None:
    now = timezone.now().isoformat()
    capture([quick_order_event(recordedAt=now, metadata={MARKUP: MARKUP}, reason=MARKUP, name="quick_order.abort")])
    for status in ("breached", "warning"):
        who = {"providerId": MARKUP + status, "providerName": MARKUP, "recordedAt": now}
        guardrail = {"platformSlug": MARKUP, "guardrailStatus": status}
        capture([workflow_event(**who, guardrail=guardrail, workflowAction=MARKUP[:100], metadata={MARKUP: MARKUP})])
    record_segment(MARKUP, MARKUP, variant_name=MARKUP)
    create_follow_up(**FOLLOW_UP)
    create_follow_up(**FOLLOW_UP | {"conversion_href": f"http://{MARKUP}"})
    newest = create_follow_up(**FOLLOW_UP | {"conversion_href": f"\thttp://x/{MARKUP}", "conversion_cursor": None})
    AlertRule.objects.create(channel="x")
    AlertMute.objects.create(kind="drift", reason="x")
    AlertDelivery.objects.create(channel="x", event="test")
    Finding.objects.create(kind="drift", sentence="x")
    ProviderGuardrailStatus.objects.create(
        provider_id=MARKUP, provider_name=MARKUP, last_action=MARKUP, last_follow_up_id=newest.pk
    )


def _spoil(model: type[Model]) -> None:
    """Put markup into every text column that takes any text and that nothing is found by, after the column's name."""
    columns = [field for field in model._meta.fields if isinstance(field, TextField)]
    free = [field.name for field in columns if not (field.choices or field.unique or field.name in FOUND_BY)]
    if free:
        model._default_manager.update(**{name: f"{model._meta.model_name}.{name} {MARKUP}" for name in free})
        SPOILT.update(f"{model._meta.model_name}.{name} " for name in free if model in admin.site._registry)


def addresses() -> list[str]:
    """Every address of a page, with each row that the desk has under each route that shows one."""
    return [path for route in routes(get_resolver()) for path in _paths(route)]


def _paths(route: str) -> list[str]:
    parts = route.split("/")
    if "<path:object_id>" in parts and "r" not in parts:
        keys = apps.get_model(parts[1], parts[2])._default_manager.values_list("pk", flat=True)
        return [filled_in(route, object_id=quote(str(key))) for key in keys]
    if "records" in parts:
        return [filled_in(route, feed_key=feed.key, key=str(key)) for feed in FEEDS.values() for key in _keys(feed)]
    feeds = FEEDS if "feed" in route else [""]
    runs = ExportRun.objects.values_list("pk", flat=True) if "run_id" in route else [""]
    return [
        filled_in(route, feed=feed, feed_key=feed, run_id=str(run), mute_id="1", **_one())
        for feed in feeds
        for run in runs
    ]


def _one() -> dict[str, str]:
    segment = PricingExperimentSegment.objects.get()
    return {
        "id": str(User.objects.get().pk),
        "order_id": str(segment.order_id),
        "content_type_id": "1",
        "object_id": "1",
        "token": MARKUP,
    }


def _keys(feed: Feed) -> list[uuid.UUID]:
    return list(model_of(feed)._default_manager.values_list(feed.key_column, flat=True))


def harm_in(answer) -> list[str]:
    """What is wrong with an answer: markup of strangers in a page, or an answer that a browser might take for one."""
    kind = answer.headers.get("Content-Type", "")
    content = answer.getvalue().decode()
    assert answer.status_code < 500, content
    if kind.startswith("text/html"):
        return harm_of(content)
    is_safe = answer.headers.get("X-Content-Type-Options") == "nosniff" or not content
    return [] if is_safe else [f"a browser may guess what {kind} is"]


def test_no_page_shows_markup_that_a_row_a_status_or_an_account_holds(desk):
    harm, shown = {}, ""
    for address in addresses():
        answer = desk.get(address)
        shown += answer.getvalue().decode() if address.startswith("/admin/") else ""
        if found := harm_in(answer):
            harm[address] = found

    assert harm == {}
    assert {column for column in SPOILT if f"{column}{MARK}&quot;" not in shown} == set()


def test_no_page_shows_markup_that_a_query_holds(desk):
    pages = {re.sub("[0-9a-f-]{36}", "", address): address for address in addresses() if "/admin/" in address}
    names = " ".join(PARAMETERS.values()).split()
    queries = [(page, dict.fromkeys(names, SCRIPT_URL + MARKUP)) for page in pages.values()]
    queries += [(page, {name: MARKUP}) for page, names in PARAMETERS.items() for name in names.split()]

    assert {f"{page} {query}": found for page, query in queries if (found := harm_in(desk.get(page, query)))} == {}


@pytest.mark.parametrize(
    "page",
    [
        "/admin/reports",
        "/admin/login/",
        "/admin/password_change/",
        "/admin/auth/user/add/",
        "/admin/auth/group/add/",
        "/admin/reporting/checkpoint/quick_order/rewind/",
        f"/admin/nothing/{quote(MARKUP)}/",
        "/nothing/at/all",
    ],
)
def test_no_page_shows_markup_that_a_form_holds(desk, page):
    fields = "username password provider_id provider_name action notes platform_id platform_label platform_handle "
    fields += "platform_type token name email usable_password password1 password2 old_password to_time to_position move"

    answer = desk.post(page, dict.fromkeys(fields.split(), MARKUP))

    assert harm_in(answer) == []


def test_a_recorded_follow_up_is_named_without_its_markup(desk):
    fields = {"provider_id": MARKUP, "provider_name": MARKUP, "action": "pause", "token": str(uuid.uuid4())}

    page = desk.post("/admin/reports", fields, follow=True)

    assert f"Recorded: pause of {MARK}&quot;" in page.content.decode()
    assert harm_in(page) == []


@pytest.mark.parametrize(
    "page",
    [
        f"<p>{MARKUP}</p>",
        f'<p title="{MARKUP}">',
        f"<p x-data=\"{{ name: '{MARK}' }}\">",
        f'<a href="{SCRIPT_URL}">',
        f'<a href=" JAVA\nSCRIPT:{MARK}">',
        f"<script>const name = '{MARK}'</script>",
        f"<style>{MARK}</style>",
    ],
)
def test_the_reader_finds_what_runs(page):
    assert harm_of(page)


def test_the_reader_takes_what_is_escaped_for_text():
    assert harm_of(f'<p title="{escape(MARKUP)}">{escape(MARKUP)}</p><a href="/?next={SCRIPT_URL}">') == []
