"""Messages: in Slack nobody is pinged and no link forged by what strangers write, and only alerts are mailed."""

import ast
import json
import re

import pytest
from django.core import mail
from django.utils import timezone

from reporting.alerts import outbox
from reporting.insights import automation
from reporting.models import ExportRun, messages
from tests import ROOT
from tests.database import capture, export, record_follow_up, record_segment
from tests.factories import workflow_event
from tests.fakes import FakeServer, Reply, fake_server

HOSTILE = [
    "<!channel>",
    "<!here|you>",
    "<@U012AB3CD>",
    "<#C012AB3CD>",
    "<!subteam^S1>",
    "<!date^1^{date}^https://evil.example|x>",
    "<http://evil.example|Provider>",
    "&lt;!channel&gt;",
    "a>b|c<d&e",
    "@here @channel",
    "one\n*Action*: resume. <!channel>\r\u2028two\u0085three",
]
#: A link as the desk makes them: its address holds none of the signs of Slack's markup.
LINK = re.compile(r"<(https?://[^\s|<>]+)\|([^<>]*)>")


@pytest.fixture
def slack(settings):
    """A Slack that every webhook points to."""
    with fake_server() as server:
        for name, _ in messages.slack_settings():
            setattr(settings, name, server.url)
        yield server


def delivered(slack: FakeServer) -> list[str]:
    outbox.deliver(timezone.now, lambda seconds: None)
    assert slack.heard, "nothing was sent"
    assert {tuple(json.loads(request.body)) for request in slack.heard} == {("text",)}, "names are not to be linked"
    return slack.texts


def tell_of_a_follow_up(text: str, settings) -> None:
    names = ("id", "label", "handle", "type")
    platform = {f"platform_context_{name}": text for name in names}
    record_follow_up(
        provider_id=text, provider_name=text, notes=text, conversion_cursor=text, conversion_href=text, **platform
    )


def tell_of_an_alert(text: str, settings) -> None:
    guardrail = {"platformSlug": text, "guardrailStatus": "breached"}
    who = {"providerId": text, "providerName": text, "recordedAt": timezone.now().isoformat()}
    capture([workflow_event(**who, guardrail=guardrail)])
    automation.run()


def tell_of_a_failure(text: str, settings) -> None:
    with fake_server() as receiver:
        settings.ANALYTICS_SEGMENTS_WEBHOOK = receiver.url
        receiver.usual = Reply(400, text.encode())
        record_segment()
        assert export("onboarding_segments").state == ExportRun.State.FAILED


@pytest.mark.django_db
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("tell", [tell_of_a_follow_up, tell_of_an_alert, tell_of_a_failure])
def test_what_strangers_write_pings_nobody_and_forges_no_link(slack, settings, tell, text):
    tell(text, settings)

    for message in delivered(slack):
        own = re.sub("^> ", "", LINK.sub("", message), flags=re.MULTILINE)
        assert not set(own) & set("<>")
        assert re.findall(r"&(?!amp;|lt;|gt;)", own) == []
        assert {address.startswith(f"{settings.PUBLIC_BASE_URL}/") for address, _ in LINK.findall(message)} == {True}


@pytest.mark.django_db
@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_write_stays_on_its_line(slack, settings, text):
    tell_of_a_follow_up(text, settings)

    lines = delivered(slack)[0].splitlines()

    assert [line[:2] for line in lines if not line.startswith("> ")] == ["*G", "Ac", "Pl", "Wo", "<h"]


class TestMail:
    def test_one_module_alone_sends_any(self):
        folders = ("smplat", "reporting", "telemetry")
        sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.name != "email.py"]
        imported = {
            module
            for path in sources
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for module in [getattr(node, "module", None), *(name.name for name in node.names)]
        }

        assert imported & {"django.core.mail", "mail", "smtplib", "send_mail", "mail_admins"} == set()

    @pytest.mark.django_db
    def test_an_error_is_mailed_to_nobody(self, client, settings, monkeypatch):
        monkeypatch.setattr("smplat.health.generate_latest", lambda registry: 1 / 0)
        client.raise_request_exception = False

        assert client.get("/metrics").status_code == 500
        assert (settings.ADMINS, settings.MANAGERS, mail.outbox) == ([], [], [])
