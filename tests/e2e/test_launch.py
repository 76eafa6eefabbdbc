"""`make run`: what it prints, what it survives, and that it ends."""

import json
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import smplat.demo
from reporting.models import ExportRun
from tests import ROOT
from tests.e2e.desk import API_KEY, PASSWORD, Desk, free_port, wait_for
from tests.factories import quick_order_event
from tests.http_client import HTTP

EXPORTS = (
    ("quick_order.", "/api/telemetry/quick-order/export", "X-Quick-Order-Events"),
    ("guardrail.workflow", "/api/telemetry/guardrail-workflow/export", "X-Guardrail-Workflow-Events"),
)
SAMPLES = Path(smplat.demo.__file__).with_name("telemetry-events.ndjson")


def launch_again(desk: Desk, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "smplat.launch"],
        env=desk.environment | changes,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


class TestARunningDesk:
    def test_it_prints_the_address_and_the_name_to_sign_in_with(self, desk):
        assert desk.url in desk.output
        assert "Sign in as      admin" in desk.output

    def test_a_password_and_a_key_of_the_environment_are_named_and_not_printed(self, desk):
        assert "Password        that of DJANGO_SUPERUSER_PASSWORD" in desk.output
        assert "API key         that of CHECKOUT_API_KEY" in desk.output
        assert PASSWORD not in desk.output
        assert API_KEY not in desk.output

    def test_a_name_that_is_no_setting_is_reported_once(self, desk):
        assert desk.output.count("SLACK_WEBHOOK_ULR is not a setting. Did you mean SLACK_WEBHOOK_URL?") == 1

    def test_it_is_ready(self, desk):
        assert HTTP.get(f"{desk.url}/readyz").json()["status"] == "ready"

    def test_the_samples_of_eight_clients_are_stored_once_each(self, desk):
        bodies = SAMPLES.read_text(encoding="utf-8").splitlines()
        statuses: list[int] = []

        def client() -> None:
            with httpx.Client(base_url=desk.url, timeout=30) as http:
                for body in bodies:
                    for route in ["/api/telemetry"] + ["/api/telemetry/quick-order"] * ('"quick_order.' in body):
                        headers = {"Content-Type": "application/json"}
                        statuses.append(http.post(route, content=body.encode(), headers=headers).status_code)

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert set(statuses) == {202}
        events = [json.loads(body) for body in bodies]
        assert len(events) == 119
        for prefix, route, header in EXPORTS:
            sent = {event["id"] for event in events if event["name"].startswith(prefix)}
            with desk.client() as http:
                answer = http.get(route)
            exported = [json.loads(line)["id"] for line in answer.text.splitlines()]
            assert sent <= set(exported)
            assert len(exported) == len(set(exported)) == int(answer.headers[header])

    def test_a_second_start_on_the_same_folder_says_so(self, desk):
        result = launch_again(desk, PORT=str(free_port()))

        assert result.returncode == 1
        assert "an instance is running on" in result.stderr
        assert "choose another VAR_DIR" in result.stderr

    def test_a_port_that_is_taken_is_named(self, desk, tmp_path):
        result = launch_again(desk, VAR_DIR=str(tmp_path / "var"))

        assert result.returncode == 1
        assert f"PORT {desk.port} is taken" in result.stderr

    def test_a_folder_that_cannot_be_written_is_named(self, desk, tmp_path):
        (tmp_path / "file").write_text("in the way")

        result = launch_again(desk, VAR_DIR=str(tmp_path / "file" / "var"))

        assert result.returncode == 1
        assert "cannot be written" in result.stderr

    def test_a_bad_setting_is_named(self, desk, tmp_path):
        result = launch_again(desk, VAR_DIR=str(tmp_path / "var"), LAKE_URI="nonsense")

        assert result.returncode == 1
        assert "SMPLAT cannot start: LAKE_URI" in result.stderr
        assert "Traceback" not in result.stderr


class TestTheOldStorefront:
    @pytest.mark.habit(
        "The storefront posts each event to /api/telemetry, and quick-order events to /api/telemetry/quick-order too",
        "Answers 202 to every one, and refuses none",
    )
    def test_none_of_its_events_is_refused(self, desk):
        bodies = SAMPLES.read_text(encoding="utf-8").splitlines()
        routes = {"/api/telemetry": bodies, "/api/telemetry/quick-order": [b for b in bodies if '"quick_order.' in b]}

        with httpx.Client(base_url=desk.url, headers={"Content-Type": "application/json"}, timeout=30) as http:
            answers = [http.post(route, content=body.encode()) for route in routes for body in routes[route]]

        assert {(answer.status_code, str(answer.json()["rejected"])) for answer in answers} == {(202, "[]")}

    @pytest.mark.habit(
        "The storefront sends slug, variantKey, variantName, assignmentStrategy and at times isControl, no more",
        "Records it; status, featureFlagKey and what else is missing stay null",
    )
    def test_none_of_its_assignments_is_refused(self, desk):
        with_control = {"slug": "spring-offer", "variantKey": "control", "variantName": "Control", "isControl": True}
        without = {"slug": "spring-offer", "variantKey": "bundle", "variantName": None}
        experiments = [{**body, "assignmentStrategy": "sequential"} for body in (with_control, without)]
        route = f"/api/v1/orders/{uuid.uuid4()}/onboarding/pricing-experiments"

        with desk.client() as http:
            answer = http.post(route, json={"experiments": experiments})

        assert (answer.status_code, len(answer.json().get("eventIds", []))) == (202, 2), answer.text

    @pytest.mark.habit(
        "The operators' page posts a follow-up with platformContext, attachments and a conversion link without a host",
        "Records it, and answers with entry and status",
    )
    def test_none_of_its_follow_ups_is_refused(self, desk):
        body: dict[str, object] = {
            "providerId": "provider-viralhub",
            "providerName": "ViralHub",
            "action": "escalate",
            "notes": None,
            "platformContext": {"id": "tiktok", "label": "TikTok", "handle": None, "platformType": None},
            "attachments": [],
            "conversionCursor": "spring-offer",
            "conversionHref": "/admin/reports?conversionCursor=spring-offer#experiment-analytics",
        }

        with desk.client() as http:
            answer = http.post("/api/v1/reporting/guardrails/followups", json=body)

        assert (answer.status_code, answer.json().get("providerTelemetry", 0)) == (201, None), answer.text


class TestAWorkerKilledInMidRun:
    def test_the_run_is_closed_as_failed_and_the_next_one_succeeds(self, desk, operator):
        HTTP.post(f"{desk.url}/api/telemetry", json=quick_order_event()).raise_for_status()

        def state(path: str) -> str:
            page = operator.get(path).text
            return next(state for state in ExportRun.State.values if f"desk-state-{state}" in page)

        with desk.database() as writer:
            # An unfinished writer holds the run at its fence, so that it is in the middle when the worker dies.
            writer.execute("LOCK TABLE telemetry_quickorderevent IN ROW EXCLUSIVE MODE")
            killed = desk.start_run(operator)
            wait_for(lambda: state(killed) == "running")
            worker = desk.program("worker")
            worker.kill()
            wait_for(lambda: (revived := desk.program("worker")) and revived.pid != worker.pid)
            # PostgreSQL takes a moment to notice, and until then a run of the feed is skipped.
            wait_for(lambda: not writer.execute("SELECT FROM pg_locks WHERE locktype = 'advisory'").fetchall())
            following = desk.start_run(operator)
            wait_for(lambda: state(following) == "running")
            assert state(killed) == "failed"

        wait_for(lambda: state(following) == "succeeded")
        assert "The process of this run, or its database session, ended before the run did" in operator.get(killed).text


class TestTheEnd:
    def test_a_signal_ends_every_process_and_the_data_stays(self, tmp_path):
        desk = Desk(tmp_path / "var").start()
        event = quick_order_event()
        HTTP.post(f"{desk.url}/api/telemetry", json=event).raise_for_status()

        assert desk.stop(signal.SIGTERM) == 0
        assert desk.processes() == []

        desk.start()
        with desk.client() as http:
            exported = http.get("/api/telemetry/quick-order/export").text
        assert desk.stop(signal.SIGINT) == 0
        assert json.loads(exported)["id"] == event["id"]
        assert desk.processes() == []

    def test_made_credentials_are_printed_by_the_start_that_makes_them_and_stay_the_same(self, tmp_path):
        desk = Desk(tmp_path / "var", DJANGO_SUPERUSER_PASSWORD="", CHECKOUT_API_KEY="")
        file = tmp_path / "var" / "secrets.json"
        printed = []
        for _ in range(2):
            desk.start()
            desk.stop()
            printed.append((desk.output, json.loads(file.read_text())))

        (first, made), (second, kept) = printed
        assert made == kept
        assert file.stat().st_mode & 0o077 == 0
        for name in ("DJANGO_SUPERUSER_PASSWORD", "CHECKOUT_API_KEY"):
            assert first.count(made[name]) == 1
            assert made[name] not in second
            assert f"see {name} in {file}" in second
        assert made["SECRET_KEY"] not in first + second


def test_any_folder_will_do(tmp_path):
    var_dir = tmp_path / f"a folder with spaces, a $HOME, and a name that is {'very ' * 20}long" / "var"
    var_dir.parent.mkdir()
    desk = Desk(var_dir).start()
    event = quick_order_event()
    try:
        HTTP.post(f"{desk.url}/api/telemetry", json=event).raise_for_status()
        with closing(desk.operator()) as operator:
            page = desk.start_run(operator)
            # The worker has got the message, and the run its object.
            wait_for(lambda: "desk-state-succeeded" in operator.get(page).text)
    finally:
        desk.stop()

    assert desk.processes() == []
    assert any(event["id"] in path.read_text() for path in var_dir.glob("lake/**/*.ndjson"))


class TestTheDemo:
    def test_it_fills_a_running_desk_and_exports_twice_the_same(self, desk):
        for _ in range(2):
            result = subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "smplat.demo"],
                env=desk.environment,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert result.returncode == 0, result.stderr
            assert "quick_order: succeeded" in result.stderr
            assert "guardrail_workflow: succeeded" in result.stderr

        assert "0 events are new" in result.stdout

    def test_without_a_running_desk_it_says_what_to_do(self, desk):
        result = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "smplat.demo"],
            env=desk.environment | {"PORT": str(free_port())},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )

        assert result.returncode == 1
        assert "start it with `make run`" in result.stderr
