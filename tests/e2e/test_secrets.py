"""No secret of the settings gets into what the desk prints, logs, keeps, serves or tells, whatever goes wrong."""

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import psycopg
import pytest
from django.urls import get_resolver
from psycopg import sql

from tests import ROOT
from tests.database import database_url
from tests.e2e.desk import Desk, wait_for
from tests.factories import quick_order_event, workflow_event
from tests.fakes import Reply, closed_port_url, fake_server
from tests.secret_settings import MARK, NO_SECRETS, SECRET_NAMES, SHOWN_ADDRESSES, secret_settings
from tests.urlconf import filled_in, routes

NAME = "marked_desk"
FEEDS = ("quick_order", "guardrail_workflow", "onboarding_segments", "guardrail_followups")
ORDER = "00000000-0000-4000-8000-000000000007"
#: What is still to be done: runs, messages, bodies to forward.
UNFINISHED = """
SELECT (SELECT count(*) FROM reporting_exportrun WHERE state IN ('queued', 'running')),
       (SELECT count(*) FROM reporting_slackmessage WHERE state = 'waiting'),
       (SELECT count(*) FROM telemetry_forward),
       (SELECT count(*) FROM reporting_alertdelivery WHERE attempts = 0)
"""
VALUES = {
    "order_id": ORDER,
    "key": ORDER,
    "mute_id": "1",
    "content_type_id": "1",
    "object_id": "1",
    "id": "1",
    "token": "x",
}
#: Commands that fail for want of what their settings name, and say so.
COMMANDS = [
    ["manage.py", "check", "--deploy"],
    ["manage.py", "export_guardrail_followups", "--sink", "webhook", "--cursor-store", "none", "--traceback"],
    ["manage.py", "export_onboarding_pricing_segments_via_api", "--cursor-store", "none", "--traceback"],
    ["manage.py", "load_warehouse", "--traceback"],
    ["-m", "celery", "-A", "smplat", "call", "reporting.alert_on_providers"],
]


def log_of(desk: Desk) -> str:
    """What the desk has printed and logged, from its start on."""
    return (desk.var_dir.parent / f"{desk.var_dir.name}.log").read_text()


def leaks(text: str) -> set[str]:
    """The secrets in ``text``, with what stands around them."""
    return set(re.findall(rf".{{0,80}}{MARK}[a-z-]*", text))


def test_every_setting_is_known_to_be_a_secret_or_none():
    named = set(re.findall(r"^# ([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    secrets = set(secret_settings("http://localhost", "postgresql://postgres:@/x"))

    assert {name for name in named if re.search(SECRET_NAMES, name)} - NO_SECRETS == secrets | SHOWN_ADDRESSES
    assert all(MARK in value for value in secret_settings("http://localhost", "postgresql://postgres:@/x").values())


@pytest.fixture(scope="module")
def elsewhere():
    """Whom every address of the settings names: a server that refuses, and repeats what it was asked."""
    with fake_server() as server:
        server.usual = Reply(400, b"no such hook: {path}")
        yield server


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A database of the desk's own on the suite's server."""
    server = re.sub(r"/[^/?]*\?", "/postgres?", database_url())
    with psycopg.connect(server, autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
        yield server.replace("/postgres?", f"/{NAME}?")
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(NAME)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory, elsewhere, database) -> Iterator[Desk]:
    """A desk with marked secrets, all of whose others fail, and that has done its work with them."""
    settings = secret_settings(elsewhere.url, database)
    # Its broker is a folder, and its bucket at the server that refuses.
    del settings["REDIS_URL"], settings["POSTGRES_PASSWORD"]
    bucket = {"AWS_S3_ENDPOINT_URL": elsewhere.url, "QUICK_ORDER_EXPORT_BUCKET": "lake", "AWS_ACCESS_KEY_ID": "id"}
    provider = {"OIDC_ISSUER_URL": elsewhere.url, "OIDC_CLIENT_ID": "desk"}
    folder = tmp_path_factory.mktemp("marked")
    desk = Desk(folder / "var", **settings, **bucket, **provider, LOG_LEVEL="DEBUG").start()
    try:
        with psycopg.connect(database, autocommit=True) as session:
            _work(desk, session)
        yield desk
    finally:
        desk.stop()


def _work(desk: Desk, session: psycopg.Connection) -> None:
    """Capture and record, export everything, and wait until all that fails has failed."""
    follow_up = {"providerId": "p", "action": "pause", "conversionHref": "https://shop.example/"}
    experiments = {"experiments": [{"slug": "a", "variantKey": "b", "isControl": True, "status": "running"}]}
    with desk.client() as api, closing(desk.operator()) as operator:
        for event in (
            quick_order_event(),
            workflow_event(recordedAt=datetime.now(UTC).isoformat()),
            {"name": "guardrail.alert"},
        ):
            assert api.post("/api/telemetry", json=event).status_code == 202
        assert api.post("/api/v1/reporting/guardrails/followups", json=follow_up).status_code == 201
        route = f"/api/v1/orders/{ORDER}/onboarding/pricing-experiments"
        assert api.post(route, json=experiments).status_code == 202
        for feed in FEEDS:
            desk.start_run(operator, feed)
    wait_for(lambda: all(count == 0 for count in session.execute(UNFINISHED).fetchone() or ()))


@pytest.fixture(scope="module")
def said(desk) -> dict[str, str]:
    """What commands print in the desk's environment."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(map(" ".join, COMMANDS), pool.map(lambda command: _say(desk, command), COMMANDS), strict=True))


def _say(desk: Desk, command: list[str], **changes: str) -> str:
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=desk.environment | changes,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.stdout


def test_neither_the_start_nor_the_log_tells_one(desk):
    log = log_of(desk)

    assert "SMPLAT is running" in log
    assert "DEBUG" in log
    assert leaks(log) == set()


def test_no_page_and_no_answer_tells_one(desk, database):
    told = {}
    with desk.client() as api, closing(desk.operator()) as operator, psycopg.connect(database) as session:
        runs = [str(key) for (key,) in session.execute("SELECT id FROM reporting_exportrun").fetchall()]
        for route in routes(get_resolver()):
            for run in runs if "run_id" in route else [""]:
                path = filled_in(route, **VALUES, feed="quick_order", feed_key="quick_order", run_id=run)
                answer = (operator if path.startswith("/admin") else api).get(path)
                told[path] = answer.text + str(answer.headers)
        told["405"] = api.delete("/api/telemetry").text
        told["400"] = api.post("/api/telemetry", content=b"{").text

    assert "smplat_export_rows" in told["/metrics"]
    assert {path: found for path, text in told.items() if (found := leaks(text))} == {}


def test_no_error_of_the_server_tells_one(desk, database):
    with desk.client() as api, closing(desk.operator()) as operator:
        with psycopg.connect(database, autocommit=True) as session:
            session.execute("ALTER TABLE reporting_auditentry RENAME TO gone")
            answers = [operator.get("/admin/reporting/auditentry/")]
            session.execute("ALTER TABLE gone RENAME TO reporting_auditentry")
        with _out_of_reach(database):
            answers += [api.get("/api/reporting/guardrail-workflow"), operator.get("/admin/reports")]
            answers += [wait_for(lambda: (answer := api.get("/readyz")).status_code == 503 and answer)]

    assert [answer.status_code for answer in answers] == [500, 503, 500, 503]
    assert leaks("".join(answer.text for answer in answers)) == set()
    assert leaks(log_of(desk)) == set()


@contextmanager
def _out_of_reach(database: str) -> Iterator[None]:
    """Let nobody connect to the desk's database for the time of the block, and end the sessions that are there."""
    with psycopg.connect(database.replace(f"/{NAME}?", "/postgres?"), autocommit=True) as session:
        session.execute(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS false")
        session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [NAME])
        yield
        session.execute(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS true")


def test_no_row_of_the_database_holds_one(desk, database):
    with psycopg.connect(database) as session:
        tables = [name for (name,) in session.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        rows = {
            name: session.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name))).fetchall()
            for name in tables
        }

    assert sum(map(len, rows.values())) > 100
    assert {name: found for name, of_table in rows.items() if (found := leaks(str(of_table)))} == {}


def test_no_file_of_the_desk_holds_one(desk):
    files = [path for path in desk.var_dir.rglob("*") if path.is_file() and path.name != "secrets.json"]

    assert any("guardrail-workflow-export-status.json" in path.name for path in files)
    assert {str(path): found for path in files if (found := leaks(path.read_bytes().decode(errors="replace")))} == {}


def test_no_command_line_holds_one(desk):
    lines = [" ".join(process.cmdline()) for process in desk.processes()]

    assert len(lines) > 3
    assert leaks("\n".join(lines)) == set()


def test_no_command_tells_one(said):
    assert {command: found for command, text in said.items() if (found := leaks(text))} == {}
    assert {command for command, text in said.items() if not text} == set()


def test_a_worker_that_cannot_reach_redis_tells_none(desk):
    settings = desk.environment | {"REDIS_URL": f"redis://:{MARK}@{closed_port_url()[7:]}/0"}
    command = [sys.executable, "-m", "celery", "-A", "smplat", "worker", "--loglevel", "DEBUG"]
    with subprocess.Popen(
        command, cwd=ROOT, env=settings, stderr=subprocess.PIPE, text=True, stdout=subprocess.DEVNULL
    ) as worker:
        assert worker.stderr is not None
        said = ""
        while "Cannot connect to redis" not in said:
            line = worker.stderr.readline()
            assert line, said
            said += line
        worker.kill()

    assert leaks(said) == set()


def test_settings_that_are_not_valid_are_named_without_what_they_hold(desk):
    wrong = dict.fromkeys(secret_settings("http://x", "postgresql://x"), f"nonsense://{MARK}:{MARK}@/{MARK}")
    wrong |= {"CHECKOUT_API_KEY": MARK, "QUICK_ORDER_EXPORT_BUCKET": f"{MARK}@"}
    wrong |= {"LAKE_URI": f"s3://user:{MARK}@bucket/x", "CORS_ALLOWED_ORIGINS": f"https://user:{MARK}@x/?{MARK}"}

    said = _say(desk, ["manage.py", "check"], **wrong)

    assert {name for name in SHOWN_ADDRESSES | set(wrong) if name in said} >= {"LAKE_URI", "SLACK_WEBHOOK_URL"}
    assert leaks(said) == set()


def test_whoever_a_secret_address_names_was_asked_and_what_failed_is_told(desk, elsewhere, said):
    # Each message goes to a webhook of its own, so that none is left for the common one.
    names = {name for name, value in desk.environment.items() if elsewhere.url[7:] in value and "token" in value}
    paths = {f"{MARK}-{name.lower().replace('_', '-')}-path" for name in names - {"SLACK_WEBHOOK_URL"}}

    wait_for(lambda: paths <= {re.split("[/?]", request.path)[1] for request in elsewhere.heard})
    with psycopg.connect(desk.environment["DATABASE_URL"]) as session:
        runs = session.execute("SELECT feed, state, error FROM reporting_exportrun ORDER BY feed").fetchall()
    states = {feed: state for feed, state, _ in runs}
    assert states == dict.fromkeys(FEEDS, "failed") | {"guardrail_workflow": "succeeded"}
    assert "answered 400: no such hook: /…?token=…" in runs[0][2]
