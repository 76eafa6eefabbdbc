"""The desk asks the servers that its settings name, wherever those stand, and no other: no redirect leads it on."""

import ast
import re
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from reporting.alerts import outbox
from reporting.feeds import FEEDS
from reporting.insights import automation, heartbeat, published
from reporting.lake import storage
from reporting.models import ExportRun, messages
from smplat import settings as read_settings
from smplat.signin import provider
from telemetry import forwarding
from tests import ROOT
from tests.database import export, record_follow_up, record_segment
from tests.factories import experiment, quick_order_event, workflow_event
from tests.fakes import Reply, fake_server

EXPORTED = {feed.webhook_setting: feed.key for feed in FEEDS.values() if feed.webhook_setting}


def export_to(setting: str) -> None:
    record_segment()
    record_follow_up()
    assert export(EXPORTED[setting]).state == ExportRun.State.FAILED


def post_to_slack(setting: str) -> None:
    outbox.put(setting, setting if setting in SLACK else messages.FOLLOW_UPS, "text")
    outbox.deliver(timezone.now, lambda seconds: None)


def forward(setting: str) -> None:
    with suppress(forwarding.RetryableError):
        forwarding.send(b"{}", "application/json")


def beat(setting: str) -> None:
    heartbeat.start()


def read_statuses(setting: str) -> None:
    assert any(status.problem for status in published.statuses().values())


def read_summary(setting: str) -> None:
    assert "workflowTelemetryError" in automation.run().metadata


def export_over_http(setting: str) -> None:
    with pytest.raises((CommandError, SystemExit)):
        call_command("export_onboarding_pricing_segments_via_api", "--cursor-store", "none")


def use_lake(setting: str) -> None:
    storage._bucket.cache_clear()
    for use in (lambda: storage.write("s3://lake/a", b"a"), lambda: list(storage.read("s3://lake/a"))):
        with pytest.raises(storage.LakeError):
            use()
    with pytest.raises(storage.LakeError):
        list(storage.listing("s3://lake/a"))
    storage._bucket.cache_clear()


def describe_provider(setting: str) -> None:
    answer = provider.Session().get(django_settings.OIDC_ISSUER_URL)
    assert answer.status_code in {301, 307}


FOLLOW_UPS = "/api/v1/reporting/guardrails/followups"
RECORDING = "/api/v1/orders/00000000-0000-4000-8000-000000000007/onboarding/pricing-experiments"
SLACK = {name for name, _ in messages.slack_settings()}
STATUSES = {feed.status_url_setting: feed.key for feed in FEEDS.values() if feed.has_status_url}
#: Every setting with an address that the desk asks, and what asks it.
ASKED: dict[str, Callable[[str], None]] = {
    **dict.fromkeys(EXPORTED, export_to),
    **dict.fromkeys(["SLACK_WEBHOOK_URL", *SLACK], post_to_slack),
    **dict.fromkeys(STATUSES, read_statuses),
    "TELEMETRY_ENDPOINT": forward,
    "HEARTBEAT_URL": beat,
    "GUARDRAIL_WORKFLOW_TELEMETRY_SUMMARY_URL": read_summary,
    "API_BASE_URL": export_over_http,
    "AWS_S3_ENDPOINT_URL": use_lake,
    "OIDC_ISSUER_URL": describe_provider,
}
#: Those that are shown or connected to by drivers, which know no redirects.
NOT_ASKED = {"PUBLIC_BASE_URL", "DATABASE_URL", "REDIS_URL", "WAREHOUSE_URL", "EMAIL_URL"}
NOT_ASKED |= {name for name in read_settings.SETTING_NAMES if name.endswith("_WORKFLOW_URL")}


@pytest.fixture
def inner():
    """A server within the network that nobody asked for."""
    with fake_server() as server:
        server.usual = Reply(body=b'{"internal": "credentials"}')
        yield server


@pytest.fixture
def outer():
    """The server that a setting names."""
    with fake_server() as server:
        yield server


def test_every_setting_with_an_address_has_its_test():
    addresses = {name for name in read_settings.SETTING_NAMES if re.search(r"(_URL|_WEBHOOK|_ENDPOINT)$", name)}

    assert addresses == ASKED.keys() | NOT_ASKED


@pytest.mark.django_db
@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_redirect_into_the_network_is_not_followed(settings, outer, inner, name, status):
    if name in STATUSES:
        settings.STATUS_URLS = {**settings.STATUS_URLS, STATUSES[name]: outer.url}
    else:
        setattr(settings, messages.FOLLOW_UPS if name == "SLACK_WEBHOOK_URL" else name, outer.url)
    outer.usual = Reply(status, b"", {"Location": inner.url + "/latest/meta-data", "Refresh": f"0; url={inner.url}"})

    ASKED[name](name)

    assert len(outer.heard) > 0
    assert inner.heard == []


@pytest.mark.django_db
def test_no_address_of_a_request_is_asked(settings, inner, outer, operator, api, eager_tasks):
    for name in ("TELEMETRY_ENDPOINT", *SLACK, *EXPORTED):
        setattr(settings, name, outer.url)
    names = ["url", "next", "webhook-url", "webhookUrl", "statusUrl", "endpoint", "callback", "feed", "target"]
    given = dict.fromkeys(names, inner.url)
    headers = {"Host": "127.0.0.1", "X-Forwarded-Host": inner.url[7:], "Referer": inner.url, "Forwarded": inner.url}
    spoilt = {**given, "productTitle": inner.url, "providerName": inner.url, "metadata": given, "guardrail": given}
    for event in (quick_order_event(**spoilt), workflow_event(**spoilt), {"name": "guardrail.alert", **spoilt}):
        assert api.post("/api/telemetry", event, format="json", headers=headers).status_code == 202
    follow_up = {**given, "providerId": inner.url, "action": "pause", "conversionHref": inner.url, "notes": inner.url}
    assert api.post(FOLLOW_UPS, follow_up, format="json", headers=headers).status_code == 201
    body = {**given, "experiments": [experiment(inner.url, variantKey="a", isControl=False)]}
    assert api.post(RECORDING, body, format="json", headers=headers).status_code == 202
    for feed in FEEDS:
        export(feed)
        assert operator.get(f"/admin/reports?rows={feed}", given, headers=headers).status_code == 200
        operator.post(f"/admin/reports/feeds/{feed}/start", given, headers=headers)
    forwarding.deliver(timezone.now)
    outbox.deliver(timezone.now, lambda seconds: None)

    assert len(outer.heard) > 4
    assert inner.heard == []


def test_nothing_but_one_module_asks_servers_of_others():
    # The launcher and the demo ask the desk itself.
    allowed = {"smplat/lib/outgoing.py", "smplat/launch.py", "smplat/demo/__main__.py"}
    # An e-mail alert goes to the server of a setting, by Django's client for it.
    allowed |= {"reporting/alerts/channels/email.py"}
    # They speak to django-allauth in the words of requests, and ask by outgoing.
    allowed |= {"smplat/signin/provider.py", "smplat/signin/single_sign_on.py"}
    found = {
        str(path.relative_to(ROOT))
        for folder in ("smplat", "reporting", "telemetry")
        for path in (ROOT / folder).rglob("*.py")
        if _asks(ast.parse(path.read_text()))
    }

    assert found == allowed


def _asks(tree: ast.Module) -> bool:
    """Whether a module uses what sends requests: of httpx more than names of errors and codes, or another client."""
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    sends = {f"httpx.{name}" for name in ("get", "post", "put", "request", "stream", "Client", "AsyncClient")}
    imported = {
        name.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    return bool(used & sends) or bool(imported & {"urllib.request", "http.client", "requests", "aiohttp", "smtplib"})
